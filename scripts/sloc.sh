#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Lines of code without comments and blank ones, per folder (build host):
# prints "FOLDER LINES" for each; the status is 1 if the privileged part has outgrown its budget.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
CORE_BUDGET=8000        # kernel/ + vmx/ + svm/
PRIVILEGED_BUDGET=15000 # these with drivers/

count() {
    local file
    # The preprocessor drops comments and, told that all is expanded already, nothing else.
    find "$1" -name '*.[chS]' 2>/dev/null | while read -r file; do
        gcc -fpreprocessed -dD -E -P -x c "$file" 2>/dev/null
    done | grep -c '[^[:space:]]'
}

declare -A lines
for folder in boot kernel vmx svm drivers guests tests; do
    lines[$folder]=$(count "$folder")
    echo "$folder ${lines[$folder]}"
done
core=$((lines[kernel] + lines[vmx] + lines[svm]))
privileged=$((core + lines[drivers]))
if [ "$core" -gt "$CORE_BUDGET" ] || [ "$privileged" -gt "$PRIVILEGED_BUDGET" ]; then
    echo "over budget: core $core of $CORE_BUDGET, privileged $privileged of $PRIVILEGED_BUDGET"
    exit 1
fi
