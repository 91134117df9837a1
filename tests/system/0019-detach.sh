# SPDX-License-Identifier: Apache-2.0
# Goal: an experiment outlives its command exactly when the user says so: --detach and "leave" go on to the end and then nothing
# runs any more; "cancel" withdraws; without a word everything ends with the command. Method: real terminals (Python's pty).
. "$(dirname "$0")/lib.sh"
cd "$TMP"
slow="--set labels.simulations=2000 --set labels.shard=4"

finished() { drover status "system/tiny" --store "$1" --json | python3 -c 'import json, sys
steps = json.load(sys.stdin)["steps"]
sys.exit(not (steps and all(s["done"] == s["jobs"] for s in steps)))'; }
# The daemons that have this folder's store as their argument or its coordinator as their server.
daemons() { pgrep -f "$TMP/$1" || true; }
nobody() { [ -z "$(daemons "$1")" ]; }

drover run "$HERE/tiny.cfg" --store "$TMP/d.db" --detach --workers 2 $slow >out.txt 2>err.txt || fail "--detach: $(cat err.txt)"
grep -q 'goes on in the background' out.txt || fail "--detach says nothing: $(cat out.txt)"
finished d.db && fail "done before anything could run: the test proves nothing"
[ -n "$(daemons d.db)" ] || fail "the coordinator did not stay"
# The same command joins what is there and ends with its tables.
drover run "$HERE/tiny.cfg" --store "$TMP/d.db" --workers 2 $slow >again.txt 2>again.err || fail "joining: $(cat again.err)"
grep -q 'joining process' again.err || fail "it did not join: $(cat again.err)"
finished d.db || fail "it ended before the experiment did"
within 20 nobody d.db || fail "the coordinator stays for ever: $(daemons d.db)"
drover run "$HERE/tiny.cfg" --store "$TMP/d.db" --detach $slow >out.txt 2>&1
grep -q 'all of them done' out.txt || fail "a finished experiment is started again: $(cat out.txt)"
within 20 nobody d.db || fail "something was left running"

# Two at once: one has the coordinator, the other joins it, and both end well.
for turn in 1 2 3; do
    "$BIN/drover" run "$HERE/tiny.cfg" --store "$TMP/two$turn.db" --workers 1 >one.txt 2>&1 &
    command=$!
    PIDS="$PIDS $command"
    drover run "$HERE/tiny.cfg" --store "$TMP/two$turn.db" --workers 1 >two.txt 2>&1 || fail "the second of two runs: $(tail -n 3 two.txt)"
    wait "$command" || fail "the first of two runs: $(tail -n 3 one.txt)"
    cat one.txt two.txt | grep -q '^joining process [0-9]' || fail "nobody joined: $(cat one.txt two.txt)"
done

# Another run takes the store while a killed coordinator is about to be started again: it is joined.
"$BIN/drover" run "$HERE/tiny.cfg" --store "$TMP/race.db" --workers 1 $slow >one.txt 2>&1 &
command=$!
PIDS="$PIDS $command"
within 20 grep -qs submitted race.db-logs/coordinator.log || fail "it did not start"
for pid in $(cat "/proc/$command/task/$command/children"); do
    case $(cat "/proc/$pid/comm") in drover-coord*) kill -9 "$pid" ;; esac
done
drover run "$HERE/tiny.cfg" --store "$TMP/race.db" --workers 1 $slow >two.txt 2>&1 || fail "the run that took the store: $(tail -n 3 two.txt)"
wait "$command" || fail "the run whose coordinator was killed: $(tail -n 3 one.txt)"

# Killed without a word: nothing runs on.
"$BIN/drover" run "$HERE/tiny.cfg" --store "$TMP/k.db" --quiet $slow >/dev/null 2>&1 &
command=$!
PIDS="$PIDS $command"
within 20 grep -qs listening k.db-logs/coordinator.log || fail "it did not start"
kill -9 "$command"
within 20 nobody k.db || fail "the coordinator outlives its killed command"

cat >terminal.py <<'EOT'
import os, pty, select, signal, sys, time
answer, command = sys.argv[1], sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen = b""
def until(word, seconds):
    global seen
    end = time.time() + seconds
    while word not in seen:
        if time.time() > end:
            sys.exit("no %r within %d s: %r" % (word, seconds, seen[-2000:]))
        if select.select([fd], [], [], 0.1)[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                break
until(b"running", 60)
os.write(fd, b"\x03")
until(b"cancel (c)", 30)
os.write(fd, answer.encode() + b"\n")
end = time.time() + 60
while True:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            seen += os.read(fd, 65536)
        except OSError:
            pass
    got, status = os.waitpid(pid, os.WNOHANG)
    if got:
        break
    if time.time() > end:
        os.kill(pid, signal.SIGKILL)
        sys.exit("it does not end: %r" % seen[-2000:])
sys.stdout.write(seen.decode("utf-8", "replace"))
sys.exit(os.waitstatus_to_exitcode(status))
EOT
ask() { # ANSWER STORE: what came out is in terminal.txt, the exit code in rc
    rc=0
    TERM=xterm python3 terminal.py "$1" "$BIN/drover" run "$HERE/tiny.cfg" --store "$TMP/$2" --workers 2 $slow >terminal.txt 2>terminal.err || rc=$?
    [ ! -s terminal.err ] || fail "on a terminal: $(cat terminal.err)"
}

ask leave l.db
[ "$rc" -eq 0 ] && grep -q 'goes on in the background' terminal.txt || fail "leave: exit $rc: $(tail -5 terminal.txt)"
within 120 finished l.db || fail "what was left alone did not finish: $(drover status --store l.db)"
within 20 nobody l.db || fail "the coordinator stays after all is done"

ask stop s.db
[ "$rc" -eq 1 ] && grep -q 'Go on with' terminal.txt || fail "stop: exit $rc: $(tail -5 terminal.txt)"
nobody s.db || fail "stopped, and something runs"

ask cancel c.db
[ "$rc" -eq 1 ] && grep -q 'cancelled' terminal.txt || fail "cancel: exit $rc: $(tail -5 terminal.txt)"
nobody c.db || fail "cancelled, and something runs"
[ "$(rows c.db "select count(*) from job where state = 'CANCELLED'")" -gt 0 ] || fail "no job was withdrawn"
drover run "$HERE/tiny.cfg" --store "$TMP/c.db" --quiet --workers 2 $slow >/dev/null 2>&1 || fail "going on after a cancel"
finished c.db || fail "not finished after a cancel"
