#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The programs run on any x86-64-v2 machine: newer instructions stand in the level files' functions only, quick unit tests of kernels and search pass on
# an emulated CPU without AVX, and a worker on such a CPU finds the same labels and scores as one on this CPU, byte for byte.
. "$(dirname "$0")/lib.sh"
BUILD=$(dirname "$BIN")
[ "$(uname -m)" = x86_64 ] || { echo "SKIP not an x86-64 computer" && exit 77; }
for program in qemu-x86_64 objdump nm; do
    command -v "$program" >/dev/null || { echo "SKIP no $program here: ./dev setup emulation" && exit 77; }
done
[ -e "$BUILD/CMakeCache.txt" ] || { echo "SKIP $BUILD is no build folder" && exit 77; }
old() { qemu-x86_64 -cpu Nehalem "$@"; }

note "newer instructions stand in the levels' functions only"
# AVX and what else x86-64-v3 brings, in AT&T syntax.
newer='%[yz]mm|	v[a-z0-9]+ .*%xmm|	(andn|bextr|blsi|blsmsk|blsr|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx|lzcnt|movbe)[lqw]? '
level_objects() { find "$BUILD/worker/kernels" -path "*worker_kernels_$1.dir*" -name '*.o'; }
for level in v3 v4; do
    level_objects $level | xargs objdump -d --no-show-raw-insn | grep -E "$newer" >/dev/null || fail "the search for newer instructions finds none in level $level"
    level_objects $level | xargs nm -g --defined-only | awk 'NF == 3 { print $3 }' | grep -v "^kernel_.*_$level\$\|^kernels_table_$level\$" >"$TMP/names" &&
        fail "level $level lends others $(head -n 3 "$TMP/names" | tr '\n' ' ')"
done
find "$BUILD/common" "$BUILD/store" "$BUILD/coordinator" "$BUILD/worker" "$BUILD/experiments" "$BUILD/dashboards" -name '*.o' |
    grep -v 'worker_kernels_v[34]\.dir' >"$TMP/plain"
[ "$(wc -l <"$TMP/plain")" -gt 300 ] || fail "only $(wc -l <"$TMP/plain") objects were found"
xargs objdump -d --no-show-raw-insn <"$TMP/plain" >"$TMP/plain.s" 2>&1
awk '/file format/ { file = $1 } { print file "\t" $0 }' "$TMP/plain.s" | grep -E "$newer" >"$TMP/found" && fail "outside the levels: $(head -n 3 "$TMP/found")"
rm "$TMP/plain.s"

note "unit tests without AVX"
old "$BIN/test-worker_kernels-forward" >"$TMP/kernels.log" 2>&1 || fail "kernels on Nehalem"
for name in worker_kernels-backward worker_kernels-forward worker_kernels-gelu worker_kernels-pool worker_search-search worker_search-methods; do
    [ -x "$BIN/test-$name" ] || continue
    old "$BIN/test-$name" >"$TMP/$name.log" 2>&1 || fail "test-$name on Nehalem"
    ran="${ran:-} $name"
done
[ "$(echo "${ran:-}" | wc -w)" -ge 5 ] || fail "only these ran: ${ran:-}"
DROVER_KERNELS=v3 old "$BIN/drover-labels" </dev/null >"$TMP/forced.txt" 2>&1 && fail "kernels v3 on a CPU without AVX: accepted"
grep -q 'the best that this CPU runs are generic' "$TMP/forced.txt" || fail "kernels v3 on a CPU without AVX: $(cat "$TMP/forced.txt")"

note "a worker without AVX finds the same"
drover run "$HERE/emulated.cfg" --store "$TMP/here.db" >"$TMP/here.log" 2>&1 || fail "run here"
start_coordinator "$TMP/old.db" --lease-ms 120000 --renew-ms 20000
old "$BIN/drover-worker" --coordinator "$ENDPOINT" --name old --slots 1 --threads 1 --cache "$TMP/cache-old" >"$TMP/old.log" 2>&1 &
WORKER=$!
PIDS="$PIDS $WORKER"
drover run "$HERE/emulated.cfg" --store "$TMP/old.db" >"$TMP/run.log" 2>&1 || fail "run on Nehalem"
drover drain old --store "$TMP/old.db" >/dev/null || fail "drain" # the emulator itself may end by a signal
wait "$WORKER" || fail "the worker's exit status is $?"
kill "$COORDINATOR"
wait "$COORDINATOR" || fail "the coordinator's exit status is $?"
"$BIN/compare" "$TMP/here.db" "$TMP/old.db" >"$TMP/compare.log" 2>&1 || fail "without AVX and with it differ"
