#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# drover launch and down: workers of this computer, and of another by an ssh that is none, do the work and are ended, all of them; the key is
# on no command line; what cannot be started leaves nothing behind. Slurm itself: long-slurm.sh.
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
refused 'no coordinator runs' drover launch local 1 --store "$S"
start_coordinator "$S"
unset DROVER_KEY DROVER_SERVER_KEY
fleet() { cat "$S-fleet/fleet"; }
pids() { awk '$1 == "local" { print $2 } $1 == "ssh" { print $3 }' "$S-fleet/fleet"; }
# Whatever happens, these end with the test.
keep() { for pid in $(pids); do PIDS="$PIDS $pid"; done; }

note "on this computer"
drover launch local 2 --slots 1 --threads 1 --dry-run --store "$S" >out.txt 2>&1 || fail "dry run: $(cat out.txt)"
[ ! -e "$S-fleet" ] || fail "a dry run makes something"
drover launch local 2 --slots 1 --threads 1 --worker-option=--cache="$TMP/cache" --store "$S" >out.txt 2>&1 || fail "launch: $(cat out.txt)"
keep
[ "$(stat -c %a "$S-fleet")$(stat -c %a "$S-fleet/pilots.connect")" = 700600 ] || fail "others may read the key"
secret=$(awk '/^drover-secret1/ { print $4 }' "$S-fleet/pilots.connect")
for pid in $(pids); do
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$secret" && fail "the secret is on a command line"
    tr '\0' ' ' <"/proc/$pid/environ" | grep -qF -- "$secret" && fail "the secret is in an environment"
done
drover run "$HERE/tiny.cfg" --store "$S" >out.txt 2>&1 || fail "run: $(cat out.txt)"
[ "$(rows "$S" "select count(*) from label")" = 160 ] || fail "labels are missing"
[ "$(rows "$S" "select count(*) from worker where name like 'drover-%'")" = 2 ] || fail "two workers were to be there"
drover down --store "$S" >out.txt 2>&1 || fail "down: $(cat out.txt)"
grep -q '2 ended' out.txt || fail "down says: $(cat out.txt)"
[ -z "$(fleet)" ] || fail "the list is not empty: $(fleet)"
drover down --store "$S" >out.txt 2>&1 || fail "down again: $(cat out.txt)"

note "idle ones leave by themselves"
drover launch local 1 --idle-exit 1 --worker-option=--cache="$TMP/cache" --store "$S" 2>/dev/null || fail "launch"
keep
pid=$(pids)
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
within 20 gone "$pid" || fail "the idle worker stays"

note "by ssh"
mkdir -p bin home
cat >bin/ssh <<'SSH'
#!/bin/sh
# Not ssh: what HOST would run runs here, with another home. unreachable: as ssh says it.
while [ "$1" != -- ]; do shift; done
host=$2
shift 2
echo "$host $*" >>"$FAKE_LOG"
[ "$host" != unreachable ] || { echo "ssh: connect to host unreachable port 22: Connection refused" >&2; exit 255; }
HOME=$FAKE_HOME PATH=$FAKE_PATH exec "$@"
SSH
chmod +x bin/ssh
export FAKE_LOG="$TMP/ssh.calls" FAKE_HOME="$TMP/home" FAKE_PATH="$BIN:$PATH"
unset XDG_STATE_HOME
PATH="$TMP/bin:$PATH" drover launch ssh node1 --slots 1 --threads 1 --worker-option=--cache="$TMP/cache" --store "$S" >out.txt 2>&1 || fail "launch ssh: $(cat out.txt)"
keep
grep -qF -- "$secret" ssh.calls && fail "the secret went over ssh's command line"
file=$(awk '$1 == "ssh" { print $5 }' "$S-fleet/fleet")
[ "$(stat -c %a "$file")" = 600 ] || fail "others there may read the key"
there() { drover workers --store "$S" --json 2>/dev/null | grep -q '"drover-.*"working"\|drover-'; }
within 15 there || fail "the worker by ssh did not join: $(cat "$file.log")"
PATH="$TMP/bin:$PATH" refused 'Connection refused' drover launch ssh unreachable --store "$S"
refused 'is no host' drover launch ssh --store "$S" -- -oProxyCommand=x
PATH="$TMP/bin:$PATH" refused 'did not start' drover launch ssh node2 --worker "$TMP/none" --store "$S"
[ "$(find "$TMP/home" -name 'pilot-??????' | wc -l)" = 1 ] || fail "a refused start leaves its key behind"
PATH="$TMP/bin:$PATH" drover down --store "$S" >out.txt 2>&1 || fail "down by ssh: $(cat out.txt)"
[ ! -e "$file" ] || fail "the key stays on the other computer"
for pid in $PIDS; do [ "$pid" = "$COORDINATOR" ] || within 5 gone "$pid" || fail "process $pid stays"; done

note "what cannot be"
refused 'no sbatch' env PATH="$TMP/bin" "$BIN/drover" launch slurm --workers 2 --store "$S"
refused 'did you mean slurm' drover launch slrum --store "$S"
refused 'how many workers' drover launch local many --store "$S"
refused 'ended at once' drover launch local 1 --worker "$TMP/none" --store "$S"
[ -z "$(fleet)" ] || fail "what did not start is in the list: $(fleet)"
printf '#!/bin/sh\nexec {{wroker}}\n' >template.sh
refused 'template.sh: line 2' drover launch slurm --template template.sh --dry-run --store "$S"
refused 'a word is needed' drover launch slurm --partition=--wrap=id --dry-run --store "$S"
drover launch slurm --workers 2500 --slots 4 --threads 2 --time 12:00:00 --dry-run --store "$S" >out.txt 2>&1 || fail "dry run: $(cat out.txt)"
[ "$(grep -c '^sbatch ' out.txt)" = 3 ] || fail "2500 pilots were to be three arrays: $(cat out.txt)"
grep -qF 'array=0-499' out.txt || fail "the last array: $(cat out.txt)"
chmod 777 "$S-fleet"
refused 'chmod 700' drover launch local 1 --store "$S"
chmod 700 "$S-fleet"

note "another coordinator's file, and one that is lost"
drover connect strangers.connect --as strangers --store "$S" 2>/dev/null || fail "connect"
drover connect nokey.connect --store "$S" 2>/dev/null || fail "connect"
refused 'holds no key' drover launch local 1 --connect nokey.connect
drover launch local 1 --connect strangers.connect --idle-exit 1 --worker-option=--cache="$TMP/cache" >out.txt 2>&1 || fail "launch --connect: $(cat out.txt)"
[ -e strangers.connect-fleet/fleet ] || fail "the fleet of a connection file lies beside it"
drover down --connect strangers.connect >out.txt 2>&1 || fail "down --connect: $(cat out.txt)"
rm "$S-fleet/pilots.connect"
drover launch local 1 --idle-exit 1 --worker-option=--cache="$TMP/cache" --store "$S" >out.txt 2>&1 || fail "a lost connection file is not made again: $(cat out.txt)"
keep
drover down --now --store "$S" >out.txt 2>&1 || fail "down --now: $(cat out.txt)"
