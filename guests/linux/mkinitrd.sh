#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Makes the Linux guest's initrd (build host): mkinitrd.sh OUT
# Busybox and kernel modules come from Debian's packages, the rest from this folder. It is not
# compressed: reading 2 MB costs less than unpacking 1 MB.

set -eu
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LINUX=$HERE/../../.cache/linux
VERSION=$(cat "$LINUX/version")
BUSYBOX=/bin/busybox
# The ACPI power button and the device files of its key.
MODULES="button evdev"

OUT=$(realpath -m "$1")
TREE=$(mktemp -d)
trap 'rm -rf "$TREE"' EXIT

applets() {
    local applet
    mkdir -p "$TREE/bin" "$TREE/root"
    cp "$BUSYBOX" "$TREE/bin/busybox"
    for applet in $("$BUSYBOX" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$TREE/bin/$applet"
    done
    ln -s bin "$TREE/sbin"
    mkdir "$TREE/usr"
    ln -s ../bin "$TREE/usr/bin"
    ln -s ../bin "$TREE/usr/sbin"
    mkdir "$TREE/dev" "$TREE/proc" "$TREE/sys" "$TREE/tmp"
}

# Lines "path: path..." of modules.dep name a module and what it needs.
modules() {
    local from=$LINUX/modules/lib/modules/$VERSION to=$TREE/lib/modules/$VERSION module line file
    mkdir -p "$to"
    for module in $MODULES; do
        if grep -q "/$module\.ko" "$from/modules.builtin"; then
            continue
        fi
        if ! line=$(grep "/$module\.ko[^ ]*:" "$from/modules.dep"); then
            echo "mkinitrd: kernel $VERSION has no module $module" >&2
            return 1
        fi
        for file in ${line/:/}; do
            mkdir -p "$to/$(dirname "$file")"
            cp "$from/$file" "$to/$file"
        done
        echo "$line" >>"$to/modules.dep"
        echo "$module" >>"$TREE/etc/modules"
    done
}

ours() {
    mkdir -p "$TREE/etc/acpi/PWRF"
    : >"$TREE/etc/modules"
    gcc -nostdlib -static -no-pie -Wl,--build-id=none -s -o "$TREE/init" "$HERE/mark.S"
    install -m 755 "$HERE/init.sh" "$TREE/init.sh"
    install -m 755 "$HERE/power.sh" "$TREE/etc/acpi/PWRF/00000080"
    echo "root:x:0:0:root:/root:/bin/sh" >"$TREE/etc/passwd"
}

applets
ours
modules
mkdir -p "$(dirname "$OUT")"
cd "$TREE"
# One date for all, so that the same input gives the same bytes.
find . -exec touch -h -d @0 {} +
find . -mindepth 1 -print0 | sort -z |
    cpio --null --quiet --create --format=newc --owner=0:0 --reproducible >"$OUT.new"
mv "$OUT.new" "$OUT"
