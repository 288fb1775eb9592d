#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Proves on the build host which folder includes which (docs/architecture.md), and that the neutral
# folders don't say a vendor's words. Prints each offence; the status is 1 if there is one.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
status=0

# complain FOLDER WHY: prints offending lines from standard input, if any.
complain() {
    local line
    while read -r line; do
        echo "$line: $1"
        status=1
    done
}

# allow FOLDER REGEX: what the quoted includes in a folder may be, from the root of the tree.
allow() {
    [ -d "$1" ] || return 0
    complain "not an include that $1/ may have" < <(
        grep -rnE --include='*.[chS]' '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' "$1" |
            grep -vE ":[[:space:]]*#[[:space:]]*include[[:space:]]+\"($2)\""
    )
}

host='tests/unit/[a-z0-9]+_host\.h' # instead of instructions, in unit tests
# The loader takes the place of firmware: it makes the structure that flat guests find (abi.h), and
# the tables that name the machines' ports and interrupts (machine.h), at which drivers/ answer.
allow boot 'boot/[^"]*|guests/abi\.h'
allow kernel "kernel/[^\"]*|boot/bootinfo\.h|guests/abi\.h|$host"
allow vmx "vmx/[^\"]*|kernel/[^\"]*|$host"
allow svm "svm/[^\"]*|kernel/[^\"]*|$host"
allow guests 'guests/[^"]*'
allow tools 'tools/[^"]*|guests/abi\.h'
allow drivers 'drivers/[^"]*|boot/machine\.h|guests/abi\.h|kernel/[^"]*'
# Of the kernel, devices see what faces devices: no page tables, no pages, no backend, no scheduler.
complain "not a device-facing header" < <(
    grep -rnE --include='*.[chS]' '#[[:space:]]*include[[:space:]]+"kernel/(backend|pt[a-z_]*|page|sched|hostmap)\.h"' \
        drivers 2>/dev/null
)
complain "a vendor's word in a neutral folder" < <(
    grep -rniE --include='*.[chS]' '\b(vmcs|vmcb|ept|npt)\b|\b(vmx|svm)/' kernel drivers 2>/dev/null
)
exit $status
