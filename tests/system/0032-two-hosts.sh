#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two network namespaces as two hosts with a cable between them: the coordinator on one, workers on the other. A whole recipe, a worker that is
# killed half-way, a cable that is pulled for longer than the lease: the same labels as on one machine, and no shared file system is needed.
. "$(dirname "$0")/lib.sh"

A=drover-a-$$ B=drover-b-$$ NET=10.$((180 + $$ % 20)).$(($$ / 20 % 250))
if [ "$(id -u)" -ne 0 ] || ! command -v ip >/dev/null || ! ip netns add "$A" 2>"$TMP/netns.log"; then
    note "no right to make network namespaces, or no ip command: nothing tested"
    exit 77
fi
trap 'ip netns del "$A" 2>/dev/null; ip netns del "$B" 2>/dev/null; cleanup' EXIT
if ! { ip netns add "$B" && ip -n "$A" link add cable type veth peer name cable netns "$B"; } 2>>"$TMP/netns.log"; then
    note "no virtual cable between namespaces here: nothing tested"
    exit 77
fi
ip -n "$A" addr add "$NET.1/24" dev cable
ip -n "$B" addr add "$NET.2/24" dev cable
for host in "$A" "$B"; do
    ip -n "$host" link set lo up
    ip -n "$host" link set cable up
done

S=$TMP/two.db
drover run "$HERE/tiny.cfg" --store "$TMP/one.db" --workers 1 >"$TMP/one.log" 2>&1 || fail "the run on one machine failed"
drover labels --dump --store "$TMP/one.db" >"$TMP/one.dump"

ip netns exec "$A" "$BIN/drover-coordinator" --store "$S" --listen "tcp://$NET.1:7077" --ready-file "$TMP/ready" \
    --lease-ms 3000 --renew-ms 500 --heartbeat-ms 300 --reattach-ms 4000 >"$TMP/coordinator.log" 2>&1 &
COORDINATOR=$!
PIDS="$PIDS $COORDINATOR"
within 20 test -s "$TMP/ready" || fail "the coordinator did not become ready"
ENDPOINT=$(cat "$TMP/ready")
# What one mails to the other host: a key and the coordinator's public one.
mkdir "$TMP/host-b"
[ ! -d "$S-keys" ] || cp "$S-keys/local.key" "$S-keys/coordinator.pub" "$TMP/host-b"
DROVER_KEY=$TMP/host-b/local.key DROVER_SERVER_KEY=$TMP/host-b/coordinator.pub
export DROVER_KEY DROVER_SERVER_KEY
drover status --coordinator "$ENDPOINT" >"$TMP/unreachable.log" 2>&1 && fail "the hosts' network is no network of its own"

far_worker() {
    ip netns exec "$B" "$BIN/drover-worker" --coordinator "$ENDPOINT" --name "$1" --slots 1 --threads 1 --cache "$TMP/host-b/cache" --log-level debug \
        >>"$TMP/worker-$1.log" 2>&1 &
    WORKER=$!
    PIDS="$PIDS $WORKER"
}
far_worker a
VICTIM=$WORKER
# From the other host, too.
ip netns exec "$B" "$BIN/drover" run "$HERE/tiny.cfg" --coordinator "$ENDPOINT" >"$TMP/run.log" 2>&1 &
RUN=$!
PIDS="$PIDS $RUN"
within 120 at_least "$S" "select count(*) from label" 40 || fail "the search did not get half-way"
kill -9 "$VICTIM"
far_worker b
within 120 at_least "$S" "select count(*) from label" 100 || fail "nobody goes on after the kill"
note "cable pulled with $(rows "$S" "select count(*) from label") of 160 labels"
ip -n "$A" link set cable down
sleep 5
ip -n "$A" link set cable up
within 120 at_least "$S" "select count(*) from run_summary where done = jobs" 1 || fail "the run does not end after the cable is back"
wait "$RUN" || fail "the run from the other host failed"
drover labels --dump --store "$S" >"$TMP/two.dump"
cmp "$TMP/one.dump" "$TMP/two.dump" || fail "two hosts, other labels"
kill "$COORDINATOR"
wait "$COORDINATOR" || fail "the coordinator did not leave in good order"
"$BIN/compare" "$S" "$TMP/one.db" >"$TMP/compare.log" || fail "the stores differ: $(cat "$TMP/compare.log")"
note "$(cat "$TMP/compare.log")"
