#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The packages: what they hold and need; and on a fresh Debian 12 without a compiler (where this machine can make one: root, debootstrap, apt's mirror)
# that they install with what they need, that the shipped quickstart runs, manuals and completion work, a worker's package alone joins a coordinator
# elsewhere, systemd takes the units, an upgrade and a purge leave people's results. FRESH=FOLDER: a root that debootstrap made before, which is copied.
. "$(dirname "$0")/lib.sh"
BUILD=$(dirname "$BIN")
SOURCE=$(cd "$HERE/../.." && pwd)
for program in cpack dpkg-deb dpkg-shlibdeps file; do
    command -v "$program" >/dev/null || { echo "SKIP no $program here: ./dev setup package" && exit 77; }
done
[ -e "$BUILD/CPackConfig.cmake" ] || { echo "SKIP $BUILD is no build folder" && exit 77; }

note "two packages"
(cd "$BUILD" && cpack -B "$TMP/packages" >"$TMP/cpack.log" 2>&1) || fail "cpack: $(tail -n 5 "$TMP/cpack.log")"
drover_deb=$(ls "$TMP"/packages/drover_*.deb) worker_deb=$(ls "$TMP"/packages/drover-worker_*.deb)
holds() { dpkg-deb --contents "$1" | awk '{ print $6 }' | grep -qx "$2" || fail "$1 holds no $2"; }
for file in bin/drover bin/drover-coordinator bin/drover-dashboard share/man/man1/drover.1.gz share/man/man1/drover-run.1.gz \
    share/bash-completion/completions/drover share/drover/recipes/quickstart.cfg lib/systemd/system/drover-coordinator.service \
    share/doc/drover/README.md share/doc/drover/copyright share/doc/drover/changelog.gz share/doc/drover/examples/kubernetes.yaml \
    share/doc/drover/examples/drover-coordinator.env; do
    holds "$drover_deb" "./usr/$file"
done
for file in bin/drover-worker share/man/man1/drover-worker.1.gz lib/systemd/system/drover-worker@.service lib/sysusers.d/drover.conf \
    share/doc/drover-worker/copyright share/doc/drover-worker/changelog.gz share/doc/drover-worker/examples/drover-worker.env; do
    holds "$worker_deb" "./usr/$file"
done
dpkg-deb --contents "$worker_deb" | grep -q 'drover-dashboard\|bin/drover$' && fail "a worker's package holds more than the worker"
needs() { dpkg-deb --field "$1" Depends | grep -qE "(^|[ ,])$2" || fail "$1 does not ask for $2: $(dpkg-deb --field "$1" Depends)"; }
needs "$drover_deb" 'drover-worker \(= '
for library in libzmq5 libsqlite3-0 libsodium23 libmicrohttpd12; do needs "$drover_deb" "$library"; done
for library in libzmq5 libopenblas0 libhwloc15 libprotobuf-c1; do needs "$worker_deb" "$library"; done
dpkg-deb --field "$worker_deb" Depends | grep -q 'gcc-[0-9]\|-dev' && fail "the worker asks for a compiler"

note "as Debian wants them"
for deb in "$drover_deb" "$worker_deb"; do
    dpkg-deb --contents "$deb" | awk '
        $2 != "root/root" { print "owner " $2 ": " $6 }
        /^d/ && $1 != "drwxr-xr-x" { print $1 ": " $6 }
        /^-/ && $6 ~ /^.\/usr\/bin\// && $1 != "-rwxr-xr-x" { print $1 ": " $6 }
        /^-/ && $6 !~ /^.\/usr\/bin\// && $1 != "-rw-r--r--" { print $1 ": " $6 }
        $6 !~ /^.\/(usr\/((bin|lib|share)\/.*)?)?$/ { print "place: " $6 }' >"$TMP/wrong.txt"
    [ ! -s "$TMP/wrong.txt" ] || fail "$(basename "$deb"): $(head -n 5 "$TMP/wrong.txt")"
    for field in Package Version Architecture Maintainer Description Section Installed-Size; do
        [ -n "$(dpkg-deb --field "$deb" $field)" ] || fail "$(basename "$deb") has no field $field"
    done
done
dpkg-deb --extract "$drover_deb" "$TMP/root"
dpkg-deb --extract "$worker_deb" "$TMP/root"
for program in "$TMP"/root/usr/bin/*; do
    name=$(basename "$program")
    ldd "$program" | grep 'not found' && fail "$name lacks a library"
    for folder in "$BUILD" "$SOURCE"; do
        grep -aqF "$folder/" "$program" && fail "$name speaks of $folder: $(grep -aoE "$folder/[a-z_/.]{0,40}" "$program" | head -n 1)"
    done
    objdump -p "$program" 2>/dev/null | grep -q 'RPATH\|RUNPATH' && fail "$name has a search path of its own"
    file "$program" | grep -q 'not stripped' && fail "$name is not stripped"
    [ "$name" = drover-labels ] || [ -e "$TMP/root/usr/share/man/man1/$name.1.gz" ] || fail "$name has no manual page"
    "$program" --help >"$TMP/help.txt" || fail "$name does not start"
done
for command in $("$TMP/root/usr/bin/drover" --manual=commands); do
    [ "$command" = help ] || zcat "$TMP/root/usr/share/man/man1/drover-$command.1.gz" | grep -q '^\.SH NAME' || fail "no manual page on drover $command"
done
(cd "$TMP" && PATH="$TMP/root/usr/bin:/usr/bin:/bin" drover run "$HERE/tiny.cfg" --store unpacked.db >run.txt 2>&1) || fail "run: $(tail -n 5 "$TMP/run.txt")"

# ---- from here on in roots of their own ----

not_tried() {
    note "not tried: a fresh Debian: $*"
    exit 0
}
[ "$(id -u)" = 0 ] || not_tried "root is wanted"
command -v debootstrap >/dev/null || not_tried "no debootstrap: ./dev setup package"
unshare --mount --propagation private true 2>/dev/null || not_tried "this machine lets nobody mount"
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# What apt itself knows of Debian's archive: lines "URI SUITE COMPONENT".
apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 == "Debian" && $4 == "main" { print $2, $3, $4 }' | sort -u >"$TMP/archive"
mirror=$(awk -v s="$suite" '$2 == s { print $1; exit }' "$TMP/archive")
[ -n "$mirror" ] || not_tried "apt knows no archive of $suite (apt-get update first?)"
fresh=$TMP/fresh node=$TMP/node
if [ -n "${FRESH:-}" ]; then
    cp -a "$FRESH" "$fresh"
elif ! debootstrap --variant=minbase "$suite" "$fresh" "$mirror" >"$TMP/debootstrap.log" 2>&1; then
    not_tried "debootstrap: $(tail -n 1 "$TMP/debootstrap.log")"
fi
sed 's/^/deb /' "$TMP/archive" >"$fresh/etc/apt/sources.list"
apt-config dump | grep -iE '^Acquire::(https?::|Check-|Retries)' >"$fresh/etc/apt/apt.conf.d/90machine" || true
printf '#!/bin/sh\nexit 101\n' >"$fresh/usr/sbin/policy-rc.d"
chmod +x "$fresh/usr/sbin/policy-rc.d"
for file in /etc/resolv.conf /etc/hosts; do cp -L "$file" "$fresh$file"; done
# inside ROOT COMMAND...: its mounts go with it. With BEHIND=exec in front and & behind, $! is the command itself.
inside() {
    ${BEHIND:-} unshare --mount --propagation private sh -c 'root=$1; shift
        mount -t proc proc "$root/proc" && mount -t tmpfs tmpfs "$root/dev/shm" && mount -t sysfs -o ro sysfs "$root/sys" || exit 125
        exec chroot "$root" env -i HOME=/root TERM=dumb LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"' sh "$@"
}
# get ROOT WORDS...: apt-get install, with what the packages declare and no more.
get() {
    root=$1
    shift
    inside "$root" apt-get install -y -qq --no-install-recommends "$@" >>"$TMP/apt.log" 2>&1 || fail "apt-get install $*"
}
inside "$fresh" apt-get update -qq >"$TMP/apt.log" 2>&1 || not_tried "apt-get update there: $(tail -n 1 "$TMP/apt.log")"
cp "$TMP"/packages/*.deb "$fresh/root/"
cp -a "$fresh" "$node"
has_no_compiler() {
    if inside "$1" sh -c 'command -v gcc || command -v cc || command -v clang || command -v ld' >/dev/null; then fail "a compiler is in $1"; fi
}

note "a fresh Debian: install"
get "$fresh" "/root/$(basename "$drover_deb")" "/root/$(basename "$worker_deb")"
has_no_compiler "$fresh"
inside "$fresh" drover help >"$TMP/help.txt" || fail "drover help"
grep -q 'launch' "$TMP/help.txt" || fail "drover help says: $(cat "$TMP/help.txt")"

note "a fresh Debian: the quickstart"
inside "$fresh" sh -c 'cd /root && drover run quickstart --store results.db' >"$TMP/fresh.log" 2>&1 || fail "the quickstart in a fresh Debian"
[ "$(rows "$fresh/root/results.db" "select count(*) from label")" -gt 100 ] || fail "labels are missing"

note "a fresh Debian: manuals and completion"
get "$fresh" man-db bash-completion
inside "$fresh" sh -c 'for page in drover drover-run drover-launch drover-worker; do MANPAGER=cat man $page || exit; done' >"$TMP/man.txt" 2>"$TMP/man.log" || fail "man"
for words in 'drover run RECIPE\|drover-run' 'idle-exit' 'EXIT STATUS'; do grep -q -- "$words" "$TMP/man.txt" || fail "the manual pages do not say $words"; done
# completes WORDS...: what bash offers after them, the last of which is being typed.
completes() {
    inside "$fresh" bash -c '. /usr/share/bash-completion/bash_completion
        _completion_loader "$1"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        function=$(complete -p "$1" | sed "s/.*-F \([^ ]*\).*/\1/")
        "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}
offers() {
    expected=$1
    shift
    completes "$@" >"$TMP/completion.txt" 2>&1
    grep -qx -- "$expected" "$TMP/completion.txt" || fail "after \"$*\" bash does not offer $expected but $(tr '\n' ' ' <"$TMP/completion.txt")"
}
for command in run connect launch scale down top; do offers "$command" drover "$command"; done
offers --slots drover launch --sl
offers slurm drover launch s
offers --backlog drover scale --back
offers quickstart drover run qui
offers --idle-exit drover-worker --idle

note "the worker's package alone, on another computer's root"
get "$node" "/root/$(basename "$worker_deb")"
has_no_compiler "$node"
[ ! -e "$node/usr/bin/drover" ] || fail "drover came with its worker"
cat >"$fresh/root/node.cfg" <<'RECIPE'
name = "package/node";
steps = (
  { id = "go"; job = "exec"; command = ["/bin/sh", "-c", "echo '{{\"metric\": \"answer\", \"step\": 0, \"value\": 42}}' >&3; test ! -e /usr/bin/drover"]; },
  { id = "base"; job = "pretrain"; tasks = ["math"]; levels = [1]; layers = 4; dim = 32; heads = 2; hidden = 64; steps = 40; batch = 32;
    gemm = "packed"; seed = "run"; },
  { id = "labels"; job = "search"; model = "base"; tasks = ["math"]; levels = [1]; split = "train"; examples = 20; simulations = 50; seed = "run"; }
);
RECIPE
BEHIND=exec inside "$fresh" drover-coordinator --store /root/cluster.db --listen 'tcp://127.0.0.1:*' --ready-file /root/ready >"$TMP/coordinator.log" 2>&1 &
COORDINATOR=$!
PIDS="$PIDS $COORDINATOR"
within 20 test -s "$fresh/root/ready" || fail "the coordinator did not become ready"
inside "$fresh" drover connect /root/node.connect --as node --store /root/cluster.db >"$TMP/connect.log" 2>&1 || fail "drover connect"
cp -p "$fresh/root/node.connect" "$node/root/"
BEHIND=exec inside "$node" drover-worker --connect /root/node.connect --name node --slots 1 --threads 1 --allow-exec --allow-program /bin/sh >"$TMP/node.log" 2>&1 &
WORKER=$!
PIDS="$PIDS $WORKER"
inside "$fresh" drover run /root/node.cfg --allow-exec --store /root/cluster.db >"$TMP/node-run.log" 2>&1 || fail "jobs on a node with the worker's package alone"
[ "$(rows "$fresh/root/cluster.db" "select count(*) from label")" = 20 ] || fail "labels are missing"
grep -q 'event=exec_end .*status=0 .*metrics=1' "$TMP/node.log" || fail "the program's number is missing"
[ "$(rows "$fresh/root/cluster.db" "select group_concat(distinct name) from worker")" = node ] || fail "others worked too"
kill "$WORKER"
wait "$WORKER" || fail "the worker's exit status is $?"
kill "$COORDINATOR"
wait "$COORDINATOR" || fail "the coordinator's exit status is $?"

note "systemd"
get "$fresh" systemd
inside "$fresh" dpkg-reconfigure drover-worker >"$TMP/reconfigure.log" 2>&1 || fail "dpkg-reconfigure drover-worker"
inside "$fresh" getent passwd drover >/dev/null || fail "the units' user was not made"
inside "$fresh" systemd-analyze verify --man=no drover-coordinator.service drover-dashboard.service drover-worker@1.service >"$TMP/verify.log" 2>&1 ||
    fail "systemd-analyze verify"
grep -v '^$' "$TMP/verify.log" && fail "systemd-analyze verify warns"

note "upgrade, remove, purge"
mkdir -p "$fresh/etc/drover" "$fresh/var/lib/drover"
echo mine >"$fresh/etc/drover/mine"
echo mine >"$fresh/etc/default/drover-worker"
cp "$fresh/root/results.db" "$fresh/var/lib/drover/results.db"
for deb in "$drover_deb" "$worker_deb"; do
    dpkg-deb --raw-extract "$deb" "$TMP/next"
    version=$(dpkg-deb --field "$deb" Version)
    sed -i "s/^Version: .*/Version: $version+next/; s/drover-worker (= $version)/drover-worker (= $version+next)/" "$TMP/next/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$TMP/next" "$fresh/root/next-$(basename "$deb")" >"$TMP/build.log" 2>&1 || fail "another version"
    rm -r "$TMP/next"
done
get "$fresh" "/root/next-$(basename "$drover_deb")" "/root/next-$(basename "$worker_deb")"
inside "$fresh" dpkg-query -W -f '${Version}\n' drover drover-worker | grep -vq 'next$' && fail "the packages were not upgraded"
inside "$fresh" drover status --store /var/lib/drover/results.db >"$TMP/status.txt" 2>&1 || fail "after the upgrade: $(cat "$TMP/status.txt")"
inside "$fresh" sh -c 'dpkg -L drover drover-worker' >"$TMP/files.txt"
inside "$fresh" apt-get remove -y -qq drover drover-worker >"$TMP/remove.log" 2>&1 || fail "apt-get remove"
inside "$fresh" dpkg --purge drover drover-worker >"$TMP/purge.log" 2>&1 || fail "dpkg --purge"
while read -r file; do
    if [ -f "$fresh$file" ]; then fail "$file stays after a purge"; fi
done <"$TMP/files.txt"
[ ! -e "$fresh/usr/share/drover" ] || fail "/usr/share/drover stays after a purge"
for file in /etc/drover/mine /etc/default/drover-worker /var/lib/drover/results.db /root/results.db; do
    [ -s "$fresh$file" ] || fail "$file, which is not the package's, is gone"
done
