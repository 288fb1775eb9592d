#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The distribution's binary packages that building, running and testing need (build host).
# "packages.sh --check" succeeds if all of them are installed.

PACKAGES="
    build-essential clang clang-format clang-tidy libclang-rt-14-dev
    gnu-efi ovmf seabios
    mtools dosfstools fdisk cpio xz-utils lz4 patch
    python3 python3-yaml
    libcmocka-dev libyaml-dev
    qemu-system-x86 busybox-static
    gdb acpica-tools
"

missing() {
    local installed package
    # shellcheck disable=SC2086 # a list of words, by design
    installed=$(dpkg-query -W -f '=${db:Status-Status} ${Package} \n' $PACKAGES 2>/dev/null)
    for package in $PACKAGES; do
        case $installed in
        *"=installed $package "*) ;;
        *) echo "$package" ;;
        esac
    done
}

if [ "${1:-}" = --check ]; then
    [ -z "$(missing)" ]
    exit
fi

COMPONENT=packages
# shellcheck source=scripts/setup/lib.sh
. "$ROOT/scripts/setup/lib.sh"

list=$(missing | paste -sd ' ')
if [ -z "$list" ]; then
    exit 0
fi
apt_update
say "installing $list"
# shellcheck disable=SC2086 # a list of words, by design
if ! as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y --no-install-recommends install $list; then
    fail "apt-get could not install: $list." \
        "Check the network and /etc/apt/sources.list*, then try: apt-get install $list"
fi
left=$(missing | paste -sd ' ')
[ -z "$left" ] || fail "these packages are still missing after apt-get install: $left"
