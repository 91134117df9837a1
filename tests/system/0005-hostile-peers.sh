#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Garbage, over-long frames, another protocol version and forged results harm nobody: the run beside them ends as usual.
. "$(dirname "$0")/lib.sh"

S=$TMP/results.db
start_coordinator "$S"
start_worker a
drover run "$HERE/tiny.cfg" --coordinator "$ENDPOINT" >"$TMP/run.log" 2>&1 &
RUN=$!
PIDS="$PIDS $RUN"
for what in garbage truncated overlong version stale; do
    "$BIN/hostile" "$ENDPOINT" "$what" >"$TMP/hostile-$what.log" 2>&1 || fail "$what was accepted"
    note "$what: $(tail -n 1 "$TMP/hostile-$what.log")"
done
grep -q '^refuse -9' "$TMP/hostile-version.log" || fail "another protocol version is not refused by name"
# Bytes that are no ZeroMQ at all.
port=${ENDPOINT##*:}
python3 - "$port" <<'PY'
import os, socket, sys
for size in (1, 64, 100000):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
        s.sendall(os.urandom(size))
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
        # A ZMTP greeting, then a frame that claims 2^62 bytes.
        s.sendall(b"\xff" + b"\0" * 8 + b"\x7f\x03\x00NULL" + b"\0" * 48 + b"\x02" + (2**62).to_bytes(8, "big") + b"x" * size)
PY
kill -0 "$COORDINATOR" || fail "the coordinator died"
wait "$RUN" || fail "the run beside the attacks failed"
[ "$(rows "$S" "select count(*) from label")" = 160 ] || fail "labels are missing"
