#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The Linux guest (build host): Debian's stock cloud kernel, unpacked and never installed, and an
# initrd made by guests/linux/mkinitrd.sh. The meta package names the kernel; what has been fetched
# once stays until this recipe changes or .cache/linux is removed.
# Result: .cache/linux/{vmlinuz,config,version,modules/lib/modules/VERSION/,initrd.img}

COMPONENT=linux
# shellcheck source=scripts/setup/lib.sh
. "$ROOT/scripts/setup/lib.sh"

META=linux-image-cloud-amd64

kernel_package() {
    apt-cache depends "$META" 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1
}

# The lists name a version that the archive may have replaced by now, so a failure is followed by
# one more try with new lists. Sets DEB.
download() {
    local package try
    mkdir "$WORK/deb"
    for try in old-lists new-lists; do
        [ $try = old-lists ] || apt_update
        package=$(kernel_package)
        [ -n "$package" ] || continue
        say "downloading $package"
        if (cd "$WORK/deb" && apt-get -q download "$package"); then
            DEB=$(echo "$WORK"/deb/*.deb)
            return 0
        fi
    done
    fail "could not get the kernel that the package $META depends on." \
        "Check the network and /etc/apt/sources.list*:" \
        "'apt-cache policy $META' should name a candidate"
}

unpack() {
    local version
    say "unpacking the kernel"
    dpkg-deb -x "$DEB" "$WORK/tree"
    version=$(cd "$WORK/tree/boot" && echo vmlinuz-*)
    version=${version#vmlinuz-}
    mkdir -p "$WORK/out/modules/lib"
    mv "$WORK/tree/boot/vmlinuz-$version" "$WORK/out/vmlinuz"
    mv "$WORK/tree/boot/config-$version" "$WORK/out/config"
    mv "$WORK/tree/lib/modules" "$WORK/out/modules/lib/"
    echo "$version" >"$WORK/out/version"
    # The package leaves this to its installation.
    /bin/busybox depmod -b "$WORK/out/modules" "$version"
}

recipe=$(sha256sum <"$ROOT/scripts/setup/linux.sh")
if [ "$(cat "$CACHE/linux/.recipe" 2>/dev/null)" != "$recipe" ]; then
    make_workdir
    download
    unpack
    echo "$recipe" >"$WORK/out/.recipe"
    install_dir "$WORK/out" "$CACHE/linux"
    drop_workdir
fi
say "making the initrd"
"$ROOT/guests/linux/mkinitrd.sh" "$CACHE/linux/initrd.img" ||
    fail "guests/linux/mkinitrd.sh failed; see the log"
