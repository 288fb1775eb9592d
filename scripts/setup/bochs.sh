#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Bochs from Debian's source package, since the binary package is old and slow (build host):
#   bochs        as fast as it gets, several CPUs       -> .cache/bochs/bin/bochs
#   bochs-debug  one CPU, with a stub for gdb           -> .cache/bochs-debug/bin/bochs
# Firmware is not part of it: name OVMF's and SeaBIOS' files in the configuration.

COMPONENT=$1
# shellcheck source=scripts/setup/lib.sh
. "$ROOT/scripts/setup/lib.sh"

TARBALL=bochs_3.0+dfsg.orig.tar.xz
PATCHES="bochs-halt.patch bochs-apicv.patch bochs-reset.patch bochs-smp.patch
    bochs-svm.patch"
OPTIONS="--enable-cpu-level=6 --enable-x86-64 --enable-vmx=2 --enable-svm --enable-avx
    --enable-evex --enable-pci --enable-e1000 --enable-repeat-speedups
    --enable-fast-function-calls --with-nogui --disable-docbook"

case $COMPONENT in
# The stub works neither with several CPUs nor with chained handlers; configure says so.
bochs-debug)
    OPTIONS="$OPTIONS --enable-gdb-stub"
    PATCHES="$PATCHES bochs-gdbstub.patch"
    ;;
*) OPTIONS="$OPTIONS --enable-smp --enable-handlers-chaining" ;;
esac

fetch "$TARBALL" "pool/main/b/bochs/$TARBALL" \
    78f6c73d4a6472d5130a87ab9dc306d02c7c71ed8e25b3a8ef642e2a7acd282b
make_workdir
say "unpacking and patching the source"
tar -xf "$CACHE/download/$TARBALL" -C "$WORK" --strip-components=1
cd "$WORK"
for patch in $PATCHES; do
    patch -p1 --fuzz=0 <"$ROOT/scripts/setup/$patch" ||
        fail "scripts/setup/$patch does not fit this version of Bochs any more:" \
            "see whether its bugs are mended there, and drop or renew the patch"
done
say "configuring"
# shellcheck disable=SC2086 # a list of options, by design
./configure $OPTIONS CFLAGS="-O3" CXXFLAGS="-O3"
say "compiling (about 90 s on 2 cores)"
make -s -j"$(nproc)" bochs
strip bochs
[ -x bochs ] || fail "the build ended without a bochs program"
mkdir -p out/bin
mv bochs out/bin/
cp COPYING out/
cd "$ROOT"
install_dir "$WORK/out" "$CACHE/$COMPONENT"
drop_workdir
