#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may do what: unknown keys, keys with too small a role, revoked ones, plaintext and replayed bytes get nothing, everybody is told why, and
# the audit has it; what is allowed works, on one machine without anybody saying anything.
. "$(dirname "$0")/lib.sh"

S=$TMP/cluster.db
export XDG_CONFIG_HOME="$TMP/config"
cd "$TMP"
# refused WORDS COMMAND...: it fails, and says WORDS.
refused() {
    words=$1
    shift
    "$@" >out.txt 2>&1 && fail "accepted: $*"
    grep -q -- "$words" out.txt || fail "$* says: $(cat out.txt)"
}
audit() { rows "$S" "select count(*) from audit where $1"; }

start_coordinator "$S"
port=${ENDPOINT##*:}
[ "$(stat -c %a "$S-keys")" = 700 ] || fail "others may look into the keys"
[ "$(stat -c %a "$S-keys/coordinator.key")$(stat -c %a "$S-keys/local.key")" = 600600 ] || fail "others may read the keys"
start_worker a
within 10 grep -q event=welcome worker-a.log || fail "the worker with the store's key is not welcome"
drover status --coordinator "$ENDPOINT" >out.txt || fail "the store's key is refused"
unset DROVER_KEY DROVER_SERVER_KEY
drover pause --store "$S" none >out.txt 2>&1 && fail "no such experiment"
grep -q 'no experiment\|not found\|no such' out.txt || fail "the store's path does not find the keys: $(cat out.txt)"

note "a key of one's own"
refused 'no key for' drover status --coordinator "$ENDPOINT"
drover key new mallory >mallory.pub 2>/dev/null
[ "$(stat -c %a config/drover/key)" = 600 ] || fail "the mode of a new key"
refused 'is there already' drover key new mallory
refused 'key of .* is not known' drover status --coordinator "$ENDPOINT"
drover key show --store "$S" >server.pub
drover key trust server.pub >/dev/null
refused 'this key is not allowed there' drover status --coordinator "$ENDPOINT"
within 5 test "$(audit "what = 'refused' and peer like '127.%'")" -ge 1 || fail "an unknown key is not in the audit"

note "a role that is too small"
refused 'did you mean "view"' drover key allow mallory.pub --role veiw --store "$S"
drover key allow "$(cat mallory.pub)" --role view --store "$S" >/dev/null
within 5 drover status --coordinator "$ENDPOINT" || fail "a new key is not let in by the coordinator that runs"
drover query --coordinator "$ENDPOINT" "select 1" >/dev/null || fail "view may ask"
refused 'submit takes the role submit, this key has view' drover submit "$HERE/tiny.cfg" --coordinator "$ENDPOINT"
refused 'takes the role submit' drover pause tiny --coordinator "$ENDPOINT"
refused 'takes the role submit' drover cancel tiny --coordinator "$ENDPOINT"
drover why none --coordinator "$ENDPOINT" 2>&1 | grep -q 'takes the role' && fail "view may ask why"
refused 'hello takes the role work, this key has view' "$BIN/drover-worker" -c "$ENDPOINT" --cache "$TMP/cache-m"
drover key allow mallory.pub --role work --store "$S" >/dev/null
within 5 refused 'takes the role view, this key has work' drover status --coordinator "$ENDPOINT"
[ "$(rows "$S" "select (select count(*) from experiment) + (select count(*) from job)")" = 0 ] || fail "something was written"
within 5 test "$(audit "what = 'refused' and who = 'mallory'")" -ge 3 || fail "refusals are not in the audit"
[ "$(audit "what = 'key'")" -ge 2 ] || fail "changes of keys are not in the audit"

note "what is no key"
cp config/drover/key open.key
chmod 644 open.key
refused 'chmod 600' drover status --coordinator "$ENDPOINT" --key open.key
head -c 60 config/drover/key >torn.key
chmod 600 torn.key
refused 'torn' drover status --coordinator "$ENDPOINT" --key torn.key
cp server.pub public.key
chmod 600 public.key
refused 'public half' drover status --coordinator "$ENDPOINT" --key public.key

note "another server, plaintext, bytes that are no ZeroMQ"
drover key new other -o other.key >other.pub 2>/dev/null
refused 'hung up during the handshake' drover status --coordinator "$ENDPOINT" --server-key other.pub
refused 'wants a key' drover status --coordinator "$ENDPOINT" --insecure
grep -q WARNING out.txt || fail "--insecure is silent"
python3 - "$port" <<'PY'
import os, socket, sys
for size in (1, 64, 5000):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
        s.sendall(os.urandom(size))
PY
within 5 test "$(audit "what = 'refused' and text like '%handshake%'")" -ge 1 || fail "bad handshakes are not in the audit"

note "revoked while connected"
drover key new hand -o hand.key >hand.pub 2>/dev/null
drover key allow hand.pub --role work --store "$S" >/dev/null
DROVER_KEY=$TMP/hand.key start_worker hand
within 10 grep -q event=welcome worker-hand.log || fail "the worker with a key of its own is not welcome"
drover key revoke hand --store "$S" >/dev/null
within 5 grep -q 'event=disconnected' worker-hand.log || fail "the revoked worker is still in"
within 5 test "$(audit "what = 'key' and text like 'hand % revoked'")" = 1 || fail "the revocation is not in the audit"
welcomes=$(grep -c event=welcome worker-hand.log)
drover key allow hand.pub --role work --store "$S" >/dev/null
again() { [ "$(grep -c event=welcome worker-hand.log)" -gt "$welcomes" ]; }
within 20 again || fail "a key that is allowed again does not get its worker back"

note "replayed bytes"
drover key new boss -o boss.key >boss.pub 2>/dev/null
drover key allow boss.pub --role submit --store "$S" >/dev/null
cat >relay.py <<'PY'
# relay.py PORT READY: passes one connection on to PORT and keeps what the client sent; then sends it again on a new connection.
import socket, sys, threading
port = int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
open(sys.argv[2], "w").write("tcp://127.0.0.1:%d" % listener.getsockname()[1])
client, _ = listener.accept()
server = socket.create_connection(("127.0.0.1", port))
sent = []
def back():
    while data := server.recv(65536):
        client.sendall(data)
threading.Thread(target=back, daemon=True).start()
while data := client.recv(65536):
    sent.append(data)
    server.sendall(data)
server.close()
for whole in (True, False):
    again = socket.create_connection(("127.0.0.1", port))
    again.settimeout(2)
    try:
        for data in [b"".join(sent)] if whole else sent:
            again.sendall(data)
            again.recv(65536)
        while again.recv(65536):
            pass
    except OSError:
        pass
    again.close()
print("replayed", sum(map(len, sent)))
PY
python3 relay.py "$port" relay.txt >relay.log 2>&1 &
RELAY=$!
PIDS="$PIDS $RELAY"
within 10 test -s relay.txt || fail "the relay did not start"
drover submit "$HERE/tiny.cfg" --coordinator "$(cat relay.txt)" --key boss.key >out.txt 2>&1 || fail "submit through the relay: $(cat out.txt)"
wait "$RELAY" || fail "the relay failed"
grep -q 'replayed [1-9]' relay.log || fail "nothing was replayed"
within 5 test "$(audit "what = 'submit' and who = 'boss'")" = 1 || fail "replayed bytes did something, or the submit is not in the audit"
drover audit --store "$S" --json | grep -q '"boss"' || fail "drover audit"

note "secrets stay where they are"
for key in "$S-keys/local.key" "$S-keys/coordinator.key" hand.key; do
    secret=$(awk '/^drover-secret1/ { print $4 }' "$key")
    grep -rqF -- "$secret" ./*.log && fail "a log has the secret of $key"
done
drover run "$HERE/tiny.cfg" --coordinator "$ENDPOINT" --key boss.key >out.txt 2>&1 || fail "the run beside all this: $(cat out.txt)"
[ "$(rows "$S" "select count(*) from label")" = 160 ] || fail "labels are missing"
kill -0 "$COORDINATOR" || fail "the coordinator died"

note "plaintext only when both sides ask for it"
start_coordinator "$TMP/plain.db" --insecure
grep -q 'WARNING' coordinator.log || fail "--insecure is silent"
unset DROVER_KEY DROVER_SERVER_KEY
refused 'speaks plaintext' drover status --coordinator "$ENDPOINT"
drover status --coordinator "$ENDPOINT" --insecure >out.txt 2>&1 || fail "--insecure on both sides: $(cat out.txt)"
grep -q WARNING out.txt || fail "the client's --insecure is silent"
