#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ARM64, emulated: everything is cross-compiled, the unit tests of what computes and decides pass with the levels generic and NEON, and a worker on
# ARM64 finds the same models, labels and scores as one on this CPU, byte for byte. The libraries come from where apt gets this machine's own.
. "$(dirname "$0")/lib.sh"
BUILD=$(dirname "$BIN")
SOURCE=$(cd "$HERE/../.." && pwd)
for program in qemu-aarch64 aarch64-linux-gnu-gcc cmake ninja; do
    command -v "$program" >/dev/null || { echo "SKIP no $program here: ./dev setup emulation" && exit 77; }
done
export DROVER_ARM64_ROOT="${DROVER_ARM64_ROOT:-$(dirname "$BUILD")/arm64-root}"
ARM=${DROVER_ARM64_BUILD:-$(dirname "$BUILD")/arm64}

note "libraries"
rc=0
"$SOURCE/.ci/arm64_root.sh" "$DROVER_ARM64_ROOT" >"$TMP/root.txt" 2>&1 || rc=$?
[ "$rc" != 75 ] || { echo "SKIP $(tail -n 1 "$TMP/root.txt")" && exit 77; }
[ "$rc" = 0 ] || fail "the libraries of ARM64: $(tail -n 3 "$TMP/root.txt")"

note "cross build"
tested='common_(base|conf|curriculum|grading|kinds|metrics|net|stats|tasks|wire)|store|coordinator_core|worker_(checkpoint|core|kernels|model|search|tokenizer)'
launcher=
if command -v ccache >/dev/null; then launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache; fi
# shellcheck disable=SC2086
cmake -S "$SOURCE" --preset arm64 -B "$ARM" $launcher -Wno-dev >"$TMP/configure.log" 2>&1 || fail "configuring"
targets=$(ninja -C "$ARM" -t targets all | sed -nE "s/^(test-($tested)-[a-z0-9_]+): .*/\1/p")
# shellcheck disable=SC2086
cmake --build "$ARM" --target programs drover-model $targets -- --quiet >"$TMP/build.log" 2>&1 || fail "building"
file "$ARM/bin/drover-worker" 2>/dev/null | grep -q 'x86-64' && fail "the cross build made x86-64 programs"

note "unit tests"
# Not these: seven compute for 2 to 46 s without an emulator, which makes hours of it (what they claim of bits is held against a whole run below), and
# qemu-user has no packet filters for sockets.
left='common_grading\.golds|common_net\.throttle|common_stats\.coverage|store\.scale|worker_model\.(bits|decide|generate|long)'
ctest --test-dir "$ARM" -R "^unit\.($tested)\." -E "$left" -j "$(nproc)" --timeout 1500 >"$TMP/ctest.log" 2>&1 || fail "$(grep -A20 'tests failed' "$TMP/ctest.log")"
grep -E 'tests passed|Total Test time' "$TMP/ctest.log"
note "left out: $left"

note "a worker there finds the same"
emulated() { qemu-aarch64 -L "$DROVER_ARM64_ROOT" "$@"; }
drover run "$HERE/emulated.cfg" --store "$TMP/here.db" >"$TMP/here.log" 2>&1 || fail "run here"
for level in generic neon; do
    start_coordinator "$TMP/$level.db" --lease-ms 120000 --renew-ms 20000
    DROVER_KERNELS=$level emulated "$ARM/bin/drover-worker" --coordinator "$ENDPOINT" --name arm --slots 1 --threads 1 --cache "$TMP/cache-$level" \
        >"$TMP/worker-$level.log" 2>&1 &
    WORKER=$!
    PIDS="$PIDS $WORKER"
    drover run "$HERE/emulated.cfg" --store "$TMP/$level.db" >"$TMP/run.log" 2>&1 || fail "run with $level"
    drover drain arm --store "$TMP/$level.db" >/dev/null || fail "drain" # the emulator itself may end by a signal
    wait "$WORKER" || fail "the worker's exit status is $?"
    kill "$COORDINATOR"
    wait "$COORDINATOR" || fail "the coordinator's exit status is $?"
    "$BIN/compare" "$TMP/here.db" "$TMP/$level.db" >"$TMP/compare.log" 2>&1 || fail "ARM64 ($level) and this CPU differ"
done
