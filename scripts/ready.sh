#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Before a headless run (build host): carries out the command that sets up and builds, a line for the
# shell, and returns its status. Meanwhile result.json in the folder is not one of an earlier run; if
# the command fails, its message is what the command said on standard error.
#
#   scripts/ready.sh folder command
#
# No Python: the set-up may have to install it.

set -u
LINES_MAX=40 # of the message: compilers say a lot

# Of standard input, as the inside of a JSON string.
json_text() {
    tail -n "$LINES_MAX" | tr -d '\000-\010\013-\037' |
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/ /g' | sed -e ':more' -e 'N' -e '$!b more' -e 's/\n/\\n/g'
}

not_started() {
    printf '{"version": 1, "status": 2, "outcome": "not started", "vms": [], "message": "%s"}\n' \
        "$(json_text)" >"$1/result.json"
}

# The command's status. Not file descriptor 3: it may belong to make, which shares its jobs so.
carry_out() {
    local terminal
    exec {terminal}>&1
    bash -c "$1" 2>&1 >&"$terminal" | tee "$words" >&2
    return "${PIPESTATUS[0]}"
}

folder=$1
mkdir -p "$folder" || exit 2
echo "the set-up and the build did not come to their end" | not_started "$folder" || exit 2
words=$(mktemp) || exit 2
trap 'rm -f "$words"' EXIT
carry_out "$2" && exit
status=$?
[ -s "$words" ] || echo "the set-up or the build failed" >"$words"
not_started "$folder" <"$words"
exit "$status"
