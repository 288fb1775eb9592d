#!/bin/bash
# SPDX-License-Identifier: MIT
#
# libyaml's source, which the loader's build compiles into BOOTX64.EFI (build host).
# Result: .cache/libyaml/{include/yaml.h,src/{api,parser,reader,scanner}.c,...}

COMPONENT=libyaml
# shellcheck source=scripts/setup/lib.sh
. "$ROOT/scripts/setup/lib.sh"

fetch libyaml_0.2.5.orig.tar.gz pool/main/liby/libyaml/libyaml_0.2.5.orig.tar.gz \
    fa240dbf262be053f3898006d502d514936c818e422afdcf33921c63bed9bf2e
make_workdir
say "unpacking the source"
mkdir "$WORK/libyaml"
tar -xf "$CACHE/download/libyaml_0.2.5.orig.tar.gz" -C "$WORK/libyaml" --strip-components=1
for file in include/yaml.h src/api.c src/parser.c src/reader.c src/scanner.c src/yaml_private.h; do
    [ -f "$WORK/libyaml/$file" ] || fail "libyaml's source lacks $file"
done
install_dir "$WORK/libyaml" "$CACHE/libyaml"
drop_workdir
