#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# .ci/arm64_root.sh FOLDER - ARM64's libraries and headers in FOLDER, for a cross build (.ci/arm64.cmake): Debian packages from where this machine's apt
# gets its own, unpacked and never installed, so the machine stays as it is. Done once. 75: they cannot be had (the reason is the last line).
set -eu
[ $# -eq 1 ] || { echo "Usage: .ci/arm64_root.sh FOLDER" >&2 && exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$1
wanted=$(awk '$1 !~ /^#/ && ($2 == "build" || $2 == "test") && $1 ~ /-dev$/ { print $1 }' "$here/packages.txt")
state="$(printf '%s\n' "$wanted" | sha256sum)"
[ "$state" != "$(cat "$root/.state" 2>/dev/null)" ] || exit 0
for program in apt-get dpkg-deb aarch64-linux-gnu-gcc; do
    command -v "$program" >/dev/null || { echo "no $program here: ./dev setup emulation" >&2 && exit 75; }
done

rm -rf "$root"
mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial" "$root/usr/lib"
root=$(cd "$root" && pwd)
: >"$root/apt/status"
ln -s usr/lib "$root/lib"
arm64_apt() {
    apt-get -qq -y -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Install-Recommends=false -o APT::Sandbox::User=root \
        -o Dir::State="$root/apt" -o Dir::State::status="$root/apt/status" -o Dir::State::lists="$root/apt/lists" \
        -o Dir::Cache="$root/apt" -o Dir::Cache::archives="$root/apt/archives" -o DPkg::Post-Invoke= -o APT::Update::Post-Invoke= "$@"
}
arm64_apt update >"$root/apt.log" 2>&1 || { echo "apt-get update for arm64: $(tail -n 1 "$root/apt.log")" >&2 && exit 75; }
# shellcheck disable=SC2086
arm64_apt install --download-only $wanted >"$root/apt.log" 2>&1 || { echo "apt-get for arm64: $(tail -n 1 "$root/apt.log")" >&2 && exit 75; }
for deb in "$root"/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$root" ./usr ./lib 2>/dev/null ||
        dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$root"
done
# What packages' scripts would have done: OpenBLAS is an alternative. Links that begin at / begin at FOLDER.
libs=$root/usr/lib/aarch64-linux-gnu
for name in libopenblas.so libopenblas.so.0; do [ -e "$libs/$name" ] || ln -s "openblas-pthread/$name" "$libs/$name"; done
[ -e "$libs/pkgconfig/openblas.pc" ] || ln -s ../openblas-pthread/pkgconfig/openblas.pc "$libs/pkgconfig/openblas.pc"
find "$libs" -type l -lname '/*' | while read -r link; do ln -snf "$root$(readlink "$link")" "$link"; done
rm -rf "$root/apt"
printf '%s\n' "$state" >"$root/.state"
