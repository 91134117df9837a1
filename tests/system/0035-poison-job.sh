#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A job that kills every worker it runs on, among honest ones: after some losses it runs alone, `why` says so, and all others are done,
# with no try spent. (That the tenth loss fails it is a scenario of the simulator.) Workers are started again by a loop, as a service manager does.
. "$(dirname "$0")/lib.sh"
cd "$TMP"

# Services end their workers themselves, also when the test fails.
SERVICES=
trap 'for pid in $SERVICES; do kill "$pid" 2>/dev/null || true; done; for pid in $SERVICES; do wait "$pid" 2>/dev/null || true; done; cleanup' EXIT
S=$TMP/poison.db
start_coordinator "$S" --lease-ms 1500 --renew-ms 200 --heartbeat-ms 100
cat >poison.sh <<'END'
#!/bin/sh
kill -9 "$VICTIM"
sleep 60
END
chmod +x poison.sh
cat >poison.cfg <<END
name = "poison";
steps = (
  { id = "bad"; job = "exec"; command = ["$TMP/poison.sh"]; outputs = ["mark.txt"]; retries = 0; seed = "run"; },
  { id = "heir"; job = "exec"; command = ["cat", "{input.mark}"]; inputs = { mark = "bad.mark.txt"; }; seed = "run"; },
  { id = "good"; job = "noop"; sleep_ms = 300; stage = 1; seed = "run"; }
);
sweep = ( { set = "good.stage"; values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]; } );
END
# service NAME: a worker that is started again whenever it dies.
service() {
    (
        trap 'kill -9 "$child" 2>/dev/null; exit 0' TERM
        while :; do
            sh -c 'export VICTIM=$$; exec "$0" "$@"' "$BIN/drover-worker" --coordinator "$ENDPOINT" --name "$1" --slots 1 --threads 1 --cache "$TMP/cache-$1" --allow-exec \
                --allow-program "$TMP/poison.sh,cat" --allow-env VICTIM --log-level debug >>"$TMP/worker-$1.log" 2>&1 &
            child=$!
            wait "$child" || true
            sleep 0.2
        done
    ) 2>/dev/null &
    SERVICES="$SERVICES $!"
}
service a
service b
drover submit poison.cfg --coordinator "$ENDPOINT" >submit.log 2>&1 || fail "submit"
honest() { [ "$(rows "$S" "select count(*) from job where kind = 'noop' and state = 'DONE' and tries = 0")" = 20 ]; }
within 200 honest || fail "honest jobs: $(rows "$S" "select state, tries, losses, count(*) from job where kind = 'noop' group by 1, 2, 3")"
within 200 at_least "$S" "select losses from job where step = 'bad'" 4 || fail "the poison was to be lost four times: $(rows "$S" "select losses from job where step = 'bad'")"
drover why j1 --coordinator "$ENDPOINT" >why.log 2>&1 || fail "why"
grep -q "quarantine" why.log || fail "why does not say that it runs alone: $(cat why.log)"
note "$(grep quarantine why.log | cut -c1-200)"
grep -q 'event=job_quarantined' coordinator.log || fail "the log does not say that it runs alone"
[ "$(rows "$S" "select state from job where step = 'heir'")" = WAITING ] || fail "what needs it is $(rows "$S" "select state from job where step = 'heir'")"
note "$(rows "$S" "select losses from job where step = 'bad'") losses of it; of honest jobs in its company: $(rows "$S" "select coalesce(sum(losses), 0) from job where kind = 'noop'")"
drover cancel poison --coordinator "$ENDPOINT" >cancel.log 2>&1 || fail "cancel"
[ "$(rows "$S" "select count(*) from job where step in ('bad', 'heir') and state = 'CANCELLED'")" = 2 ] || fail "it cannot be cancelled"
# Not by a group: each service ends its own worker.
for pid in $SERVICES; do kill "$pid" 2>/dev/null || true; done
for pid in $SERVICES; do wait "$pid" 2>/dev/null || true; done
kill "$COORDINATOR"
wait "$COORDINATOR" || fail "the coordinator did not leave in good order"
"$BIN/compare" "$S" >compare.log || fail "the store is not sound: $(cat compare.log)"
