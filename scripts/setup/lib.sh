# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What the recipes in this folder share (build host). Sourced, with standard output and standard
# error going to the component's log and file descriptor 3 to the terminal.

set -eu

# One line about the present step, on the terminal and in the log.
say() {
    echo "setup: $COMPONENT: $*" >&3
    echo "== $*"
}

# Ends the recipe. The hint is shown by setup.sh below the end of the log.
fail() {
    echo "setup-hint: $*"
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "'$*' needs root, and there is no sudo: run scripts/setup.sh $COMPONENT as root"
    fi
}

apt_update() {
    say "fetching the package lists (apt-get update)"
    as_root apt-get -q update || echo "apt-get update failed; going on with the lists that are there"
}

# The archives that this machine's apt uses already, one address per line.
debian_mirrors() {
    # shellcheck disable=SC2016 # a variable of apt, not of the shell
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | sort -u
}

# fetch FILE POOL_PATH SHA256: brings a file of Debian's package pool to .cache/download/FILE.
# apt's own downloader is used, so that the system's proxy and mirror settings hold.
fetch() {
    local file=$CACHE/download/$1 pool=$2 sum=$3 mirror mirrors
    if echo "$sum  $file" | sha256sum --status -c 2>/dev/null; then
        return 0
    fi
    rm -f "$file"
    say "downloading $1"
    mirrors=$(debian_mirrors)
    if [ -z "$mirrors" ]; then
        apt_update
        mirrors=$(debian_mirrors)
    fi
    for mirror in $mirrors; do
        if /usr/lib/apt/apt-helper download-file "${mirror%/}/$pool" "$file" "SHA256:$sum"; then
            return 0
        fi
    done
    fail "could not get $pool with SHA-256 $sum from any Debian archive that apt knows here" \
        "(tried: ${mirrors:-none}). Check the network and /etc/apt/sources.list*, or put the file" \
        "at .cache/download/$1 by hand."
}

# A new empty folder for building, gone when the recipe ends well.
make_workdir() {
    WORK=$CACHE/work/$COMPONENT
    rm -rf "$WORK"
    mkdir -p "$WORK"
}

drop_workdir() {
    rm -rf "$WORK"
    rmdir --ignore-fail-on-non-empty "$CACHE/work"
}

# install_dir DIR TARGET: puts a finished folder in place of the old one.
install_dir() {
    rm -rf "$2"
    mv "$1" "$2"
}
