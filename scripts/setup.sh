#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The one set-up script. Runs on the build host, as root or with sudo, on a fresh Debian 12.
#
#   scripts/setup.sh [component...]      without arguments: all but bochs-debug; and no bochs
#                                        where EMU, in the environment, names another emulator
#
#   base           all but bochs and bochs-debug: what an image needs
#   packages       tools and firmware from the distribution's binary packages
#   newlib-efi     C library for the UEFI loader         -> .cache/newlib-efi/{include,lib/libc.a}
#   libyaml        source of the YAML parser             -> .cache/libyaml/
#   newlib-kernel  C library for root mode               -> .cache/newlib-kernel/{include,lib/libk.a}
#   bochs          emulator, from its source package     -> .cache/bochs/bin/bochs
#   linux          Debian's stock kernel and an initrd   -> .cache/linux/{vmlinuz,initrd.img,...}
#   bochs-debug    emulator with a GDB stub              -> .cache/bochs-debug/bin/bochs
#
# All that is not an installed package lies in .cache/, which git ignores. A component is made again
# only when its recipe has changed: the stamp beside it holds the hash of the files that make it.
# SETUP_FORCE=1 makes the named components again. Logs are in .cache/log/.

set -u
export LC_ALL=C
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
CACHE=$ROOT/.cache
export ROOT CACHE
COMPONENTS="packages newlib-efi libyaml newlib-kernel linux bochs bochs-debug"
EMULATORS="bochs qemu-kvm qemu-tcg"

# The files that make a component: the first is run, and all are hashed into its stamp.
inputs() {
    case $1 in
    packages) echo scripts/setup/packages.sh ;;
    newlib-efi | newlib-kernel) echo scripts/setup/newlib.sh ;;
    libyaml) echo scripts/setup/libyaml.sh ;;
    bochs) echo scripts/setup/bochs.sh scripts/setup/bochs-apicv.patch \
        scripts/setup/bochs-halt.patch scripts/setup/bochs-reset.patch scripts/setup/bochs-smp.patch \
        scripts/setup/bochs-svm.patch ;;
    bochs-debug) echo "$(inputs bochs) scripts/setup/bochs-gdbstub.patch" ;;
    linux) echo scripts/setup/linux.sh guests/linux/* ;;
    *) return 1 ;;
    esac
}

# The packages are asked for at every run: they can be removed behind our back.
is_done() {
    if [ "$1" = packages ]; then
        bash scripts/setup/packages.sh --check
        return
    fi
    [ -z "${SETUP_FORCE:-}" ] && [ "$(cat "$CACHE/$1/.stamp" 2>/dev/null)" = "$2" ]
}

explain_failure() {
    local log=$1 component=$2 hint
    hint=$(sed -n 's/^setup-hint: //p' "$log" | tail -n 1)
    {
        echo "setup: $component FAILED; the last lines of $log:"
        grep -v '^setup-hint: ' "$log" | tail -n 25 | sed 's/^/    /'
        echo "setup: ${hint:-the step \"$(sed -n 's/^== //p' "$log" | tail -n 1)\" failed, see the log}"
        echo "setup: afterwards run the same command again; what is done already stays done."
    } >&2
}

make_component() {
    local component=$1 key=$2 script=$3 log=$CACHE/log/$1.log start=$SECONDS
    rm -f "$CACHE/$component/.stamp"
    # fd 3 is the terminal, for the one line per step; all else goes to the log.
    if ! bash "$script" "$component" 3>&1 >"$log" 2>&1 </dev/null; then
        explain_failure "$log" "$component"
        return 1
    fi
    [ "$component" = packages ] || echo "$key" >"$CACHE/$component/.stamp"
    echo "setup: $component: done in $((SECONDS - start)) s"
}

# What the component's stamp holds once it is made.
key_of() {
    # shellcheck disable=SC2046 # a list of words, by design
    sha256sum $(inputs "$1") | sha256sum
}

all_done() {
    local component
    for component in "$@"; do
        is_done "$component" "$(key_of "$component")" || return 1
    done
}

main() {
    local component files key
    cd "$ROOT" || return 1
    for component in "$@"; do
        if ! inputs "$component" >/dev/null; then
            echo "setup: no component '$component'; there are: $COMPONENTS" >&2
            return 2
        fi
    done
    all_done "$@" && return
    mkdir -p "$CACHE/log" "$CACHE/download" || return 1
    # Two set-ups at once would build into the same folders.
    exec 9>"$CACHE/lock"
    if ! flock -n 9; then
        echo "setup: another set-up is running here; waiting for it"
        flock 9
    fi
    for component in "$@"; do
        files=$(inputs "$component")
        key=$(key_of "$component")
        is_done "$component" "$key" && continue
        make_component "$component" "$key" "${files%% *}" || return 1
    done
}

case " $EMULATORS " in
*" ${EMU:-bochs} "*) ;;
*)
    echo "setup: no emulator '$EMU'; there are: $EMULATORS" >&2
    exit 2
    ;;
esac
BASE=${COMPONENTS% bochs bochs-debug}
if [ $# -eq 0 ]; then
    # shellcheck disable=SC2086 # a list of words, by design
    set -- $BASE
    [ "${EMU:-bochs}" = bochs ] && set -- "$@" bochs
elif [ "$*" = base ]; then
    # shellcheck disable=SC2086 # a list of words, by design
    set -- $BASE
fi
main "$@"
