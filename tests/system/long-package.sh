#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The packages: what they hold and need, and, where a fresh Debian can be had (root, debootstrap, a mirror), that drover runs its quickstart there
# without a compiler.
. "$(dirname "$0")/lib.sh"
BUILD=$(dirname "$BIN")
for program in cpack dpkg-deb dpkg-shlibdeps file; do
    command -v "$program" >/dev/null || { echo "SKIP no $program here: ./dev setup package" && exit 77; }
done
[ -e "$BUILD/CPackConfig.cmake" ] || { echo "SKIP $BUILD is no build folder" && exit 77; }

note "two packages"
(cd "$BUILD" && cpack -B "$TMP/packages" >"$TMP/cpack.log" 2>&1) || fail "cpack: $(tail -n 5 "$TMP/cpack.log")"
drover_deb=$(ls "$TMP"/packages/drover_*.deb) worker_deb=$(ls "$TMP"/packages/drover-worker_*.deb)
holds() { dpkg-deb --contents "$1" | awk '{ print $6 }' | grep -qx "$2" || fail "$1 holds no $2"; }
for file in bin/drover bin/drover-coordinator bin/drover-dashboard share/man/man1/drover.1 share/man/man1/drover-run.1 share/bash-completion/completions/drover \
    share/drover/recipes/quickstart.cfg lib/systemd/system/drover-coordinator.service share/doc/drover/README.md; do
    holds "$drover_deb" "./usr/$file"
done
for file in bin/drover-worker share/man/man1/drover-worker.1 lib/systemd/system/drover-worker@.service; do holds "$worker_deb" "./usr/$file"; done
dpkg-deb --contents "$worker_deb" | grep -q 'drover-dashboard\|bin/drover$' && fail "a worker's package holds more than the worker"
dpkg-deb --field "$drover_deb" Depends | grep -q 'drover-worker (= ' || fail "drover does not ask for its worker: $(dpkg-deb --field "$drover_deb" Depends)"
for library in libzmq5 libsqlite3-0 libsodium23 libmicrohttpd12; do
    dpkg-deb --field "$drover_deb" Depends | grep -q "$library" || fail "drover does not ask for $library: $(dpkg-deb --field "$drover_deb" Depends)"
done
dpkg-deb --field "$worker_deb" Depends | grep -q 'libopenblas0-pthread\|libopenblas0' || fail "the worker does not ask for OpenBLAS: $(dpkg-deb --field "$worker_deb" Depends)"
dpkg-deb --field "$worker_deb" Depends | grep -q 'gcc\|-dev' && fail "the worker asks for a compiler"

note "whole without the build folder"
dpkg-deb --extract "$drover_deb" "$TMP/root"
dpkg-deb --extract "$worker_deb" "$TMP/root"
for program in "$TMP"/root/usr/bin/*; do
    ldd "$program" | grep 'not found' && fail "$program lacks a library"
    grep -aqF "$BUILD" "$program" && fail "$program speaks of the build folder"
    "$program" --version >/dev/null 2>&1 || "$program" version >/dev/null 2>&1 || "$program" --help >/dev/null || fail "$program does not start"
done
(cd "$TMP" && PATH="$TMP/root/usr/bin:/usr/bin:/bin" drover run "$HERE/tiny.cfg" --store unpacked.db >run.txt 2>&1) || fail "run: $(tail -n 5 "$TMP/run.txt")"

note "a fresh Debian"
mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null || [ -z "$mirror" ]; then
    note "not tried: root, debootstrap and a mirror are wanted"
    exit 0
fi
fresh=$TMP/fresh
if ! debootstrap --variant=minbase bookworm "$fresh" "$mirror" >"$TMP/debootstrap.log" 2>&1; then
    note "not tried: debootstrap: $(tail -n 1 "$TMP/debootstrap.log")"
    exit 0
fi
for file in /etc/apt/apt.conf.d/* /etc/resolv.conf /etc/hosts; do [ -e "$file" ] && cp -L "$file" "$fresh$file"; done
cp "$TMP"/packages/*.deb "$fresh/root/"
chroot "$fresh" sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends /root/*.deb' >"$TMP/install.log" 2>&1 ||
    fail "the packages cannot be installed: $(tail -n 5 "$TMP/install.log")"
chroot "$fresh" sh -c 'command -v gcc' && fail "a compiler is there: the test tests nothing"
mkdir -p "$fresh/proc" "$fresh/dev/shm"
mount -t proc proc "$fresh/proc" 2>/dev/null && mounted=1
chroot "$fresh" sh -c 'cd /root && drover run quickstart --store results.db' >"$TMP/fresh.txt" 2>&1 && ran=1
[ -z "${mounted:-}" ] || umount "$fresh/proc"
[ -n "${ran:-}" ] || fail "the quickstart in a fresh Debian: $(tail -n 5 "$TMP/fresh.txt")"
