# SPDX-License-Identifier: MIT
# Turns `nm -n` of the kernel's image into the symbol table of kernel/stacktrace.c (build host).

BEGIN { n = at = 0 }
$3 == "__text_start" { base = $1 }
$3 ~ /^__/ { next } # the linker script's own
$2 ~ /^[tT]$/ && base && !($1 in seen) { seen[$1] = 1; name[n] = $3; address[n++] = $1 }

END {
    print ".section .rodata"
    print ".balign 4\n.globl symbol_count, symbol_table, symbol_names"
    print "symbol_count: .long " n
    print "symbol_table:"
    for (i = 0; i < n; i++) {
        print ".long 0x" address[i] " - 0x" base ", " at
        at += length(name[i]) + 1
    }
    print "symbol_names:"
    for (i = 0; i < n; i++)
        print ".asciz \"" name[i] "\""
    print ".section .note.GNU-stack, \"\", @progbits"
}
