#!/bin/bash
# SPDX-License-Identifier: MIT
#
# newlib, built twice from Debian's newlib-source package with the host's compiler (build host):
#   newlib-efi     the whole C library, position independent, for the UEFI loader
#   newlib-kernel  strings, conversions and sniprintf for root mode: no SSE, no red zone

COMPONENT=$1
# shellcheck source=scripts/setup/lib.sh
. "$ROOT/scripts/setup/lib.sh"

DEB=newlib-source_3.3.0-1.3+deb12u1_all.deb
COMMON="-g0 -O2 -ffreestanding -mno-red-zone -fno-stack-protector -fcf-protection=none"
COMMON="$COMMON -Wa,--noexecstack"

unpack() {
    fetch "$DEB" "pool/main/n/newlib/$DEB" \
        b9a825a86064e6ffd1f8d1b91a3f7c6a5baf3ab3d246e5ed132ba22c42f6fef1
    say "unpacking the source"
    dpkg-deb -x "$CACHE/download/$DEB" "$WORK/deb"
    mkdir -p "$WORK/src" "$WORK/build" "$WORK/out/include" "$WORK/out/lib"
    tar -xf "$WORK"/deb/usr/src/newlib/newlib-*.tar.xz -C "$WORK/src" --strip-components=1
    SRC=$WORK/src/newlib
}

# configure_newlib CFLAGS OPTION...: only the library is configured, not the tree around it
# (libgloss has nothing for us). Its makefiles then need to be told where the headers are.
configure_newlib() {
    local cflags=$1
    shift
    say "configuring"
    cd "$WORK/build"
    "$SRC/configure" --host=x86_64-elf --build=x86_64-linux-gnu --cache-file=config.cache \
        --disable-multilib --disable-newlib-supplied-syscalls "$@" \
        CC="gcc -isystem $WORK/build/targ-include -isystem $SRC/libc/include" \
        AR=ar AS=as RANLIB=ranlib CFLAGS="$COMMON $cflags"
    make -s stmp-targ-include
}

# The target's headers lie over the general ones.
install_headers() {
    cp -R "$SRC/libc/include/." "$WORK/out/include/"
    cp -RL "$WORK/build/targ-include/." "$WORK/out/include/"
}

# link_check LIB CFLAGS LDFLAGS FUNCTION...: links "prog", a program that uses the functions.
link_check() {
    local lib=$1 cflags=$2 ldflags=$3 function
    shift 3
    cd "$WORK"
    {
        for function in "$@"; do echo "extern void $function(void);"; done
        echo "void *const wanted[] = {"
        for function in "$@"; do echo "    (void *)$function,"; done
        echo "};"
        for function in _exit sbrk write read close lseek fstat isatty getpid kill; do
            echo "void $function(void) {}"
        done
        echo "void *const *_start(void) { return wanted; }"
    } >check.c
    # shellcheck disable=SC2086 # lists of flags, by design
    gcc -w $COMMON $cflags -fno-builtin -c check.c -o check.o
    # shellcheck disable=SC2086
    ld $ldflags -o prog check.o "$lib"
}

build_efi() {
    configure_newlib "-fpie" --enable-newlib-nano-malloc
    say "compiling"
    make -s -j"$(nproc)" -C libc AR_FLAGS=rcs
    cp libc/libc.a "$WORK/out/lib/"
    install_headers
    say "checking that it links as a position-independent program"
    link_check "$WORK/out/lib/libc.a" -fpie "-shared -Bsymbolic --no-undefined" \
        malloc realloc free memcpy strtoull snprintf sniprintf vsnprintf qsort strdup
    if readelf -rW prog | grep -q 'R_X86_64_' &&
        readelf -rW prog | grep 'R_X86_64_' | grep -qv 'R_X86_64_RELATIVE'; then
        readelf -rW prog | grep 'R_X86_64_' | grep -v 'R_X86_64_RELATIVE' | head
        fail "newlib-efi has relocations that gnu-efi does not apply; see the log"
    fi
}

# What root mode may use. printf and malloc are not among it.
KERNEL_FUNCTIONS="memcpy memmove memset memcmp memchr memrchr strlen strnlen strcmp strncmp
    strcasecmp strncasecmp strchr strrchr strstr strcpy strncpy strlcpy strlcat strcat strspn
    strcspn strpbrk strsep strtok_r strtoul strtoull strtol strtoll atoi qsort bsearch
    sniprintf vsniprintf isalpha isdigit isspace isprint isxdigit tolower toupper ffs"

# Files that need floating point don't compile with general registers only; that is wanted, so
# make goes on after errors, and the functions that root mode does need are linked as a proof.
build_kernel() {
    local flags="-fno-pic -mcmodel=kernel -mgeneral-regs-only" folder objects
    configure_newlib "$flags"
    say "compiling (files that need SSE are left out)"
    for folder in string ctype stdlib search stdio locale reent errno misc machine; do
        make -s -k -j"$(nproc)" -C "libc/$folder" AR_FLAGS=rcs || true
    done
    # machine/ comes last: "ar r" lets its members replace the general ones of the same name.
    objects=$(find libc -name 'lib_a-*.o' ! -path 'libc/machine/*' | sort;
        find libc/machine -name 'lib_a-*.o' | sort)
    # shellcheck disable=SC2086 # a list of files, by design
    ar rcs "$WORK/out/lib/libk.a" $objects
    install_headers
    say "checking that root mode's functions link and use no SSE"
    # shellcheck disable=SC2086
    link_check "$WORK/out/lib/libk.a" "$flags" "-static -Ttext=0xffffffff80000000" \
        $KERNEL_FUNCTIONS ||
        fail "newlib-kernel lacks functions that root mode needs; see the log"
    objdump -d prog >prog.dis
    if grep -E '%[xyz]mm|%st|%mm' prog.dis; then
        fail "newlib-kernel uses vector or x87 registers; see the log"
    fi
}

make_workdir
unpack
case $COMPONENT in
newlib-efi) build_efi ;;
newlib-kernel) build_kernel ;;
esac
cd "$ROOT"
install_dir "$WORK/out" "$CACHE/$COMPONENT"
drop_workdir
