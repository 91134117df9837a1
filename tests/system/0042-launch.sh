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

note "a pilot of another version"
[ -x "$BIN/stranger" ] || fail "build the target stranger"
# two_versions FILE: it names both, and what to do.
two_versions() { grep -q 'speaks protocol 2, this worker (drover [^)]*) 3.*run the same version of drover on both sides' "$1"; }
rc=0
timeout 20 "$BIN/stranger" --connect "$S-fleet/pilots.connect" --cache "$TMP/cache" >stranger.log 2>&1 || rc=$?
[ "$rc" = 1 ] || fail "the stranger ends with $rc: $(tail -n 3 stranger.log)"
tail -n 1 stranger.log >last.txt
two_versions last.txt || fail "its last words: $(cat last.txt)"
refused 'ended at once (exit code 1)' drover launch local 1 --worker "$BIN/stranger" --worker-option=--cache="$TMP/cache" --store "$S"
two_versions out.txt || two_versions "$S-fleet/local-1.log" || fail "no word about versions: $(cat out.txt)"
[ -z "$(fleet)" ] || fail "what did not start is in the list: $(fleet)"
pgrep -f "$BIN/stranger.*$TMP" >/dev/null && fail "the stranger goes on"
[ "$(rows "$S" "select count(*) from worker where name like '%stranger%'")" = 0 ] || fail "the stranger was taken"

note "scale, where Slurm refuses, and where pilots would be of no use"
mkdir slurm
cat >slurm/sbatch <<'SBATCH'
#!/bin/sh
[ "$1" != --version ] || exit 0
echo "$*" >>"$SBATCH_LOG"
echo "sbatch: error: Batch job submission failed: Requested node configuration is not available" >&2
exit 1
SBATCH
printf '#!/bin/sh\nexit 0\n' >slurm/squeue
chmod +x slurm/*
export SBATCH_LOG="$TMP/sbatch.calls"
: >"$SBATCH_LOG"
cat >nobody.cfg <<'CFG'
name = "launch/nobody";
steps = (
  { id = "chip"; job = "noop"; makes = "nothing"; jobs = 5; requires = ["tpu"]; },
  { id = "huge"; job = "noop"; makes = "nothing"; jobs = 4; stage = 11; cores = 3; }
);
CFG
cat >paused.cfg <<'CFG'
name = "launch/paused";
steps = ( { id = "one"; job = "noop"; makes = "nothing"; jobs = 3; stage = 9; } );
CFG
looked() { [ "$(grep -c 'jobs=' scale.txt)" -ge "$1" ]; }
start_scale() {
    PATH="$TMP/slurm:$PATH" "$BIN/drover" scale 4 --slots 1 --threads 2 --interval 1 --store "$S" "$@" >scale.txt 2>&1 &
    SCALE=$!
    PIDS="$PIDS $SCALE"
}
end_scale() {
    kill -TERM "$SCALE"
    wait "$SCALE" || fail "scale ends badly: $(tail -n 3 scale.txt)"
}
refused 'no sbatch' env PATH="$TMP/bin" "$BIN/drover" scale 2 --store "$S"
submit() { DROVER_KEY="$S-keys/local.key" DROVER_SERVER_KEY="$S-keys/coordinator.pub" drover submit "$1" --coordinator "$ENDPOINT" >out.txt 2>&1 || fail "submit: $(cat out.txt)"; }
submit nobody.cfg
submit paused.cfg
drover pause launch/paused --store "$S" >out.txt 2>&1 || fail "pause: $(cat out.txt)"
start_scale
within 20 looked 4 || fail "scale does not look: $(cat scale.txt)"
grep -q 'jobs=0 .*others=9' scale.txt || fail "nine jobs are not for these pilots: $(cat scale.txt)"
[ ! -s "$SBATCH_LOG" ] || fail "pilots were asked for that nobody needs: $(cat scale.txt)"
drover resume launch/paused --store "$S" >out.txt 2>&1 || fail "resume: $(cat out.txt)"
within 20 grep -q paused_s= scale.txt || fail "scale does not pause: $(cat scale.txt)"
grep -q 'jobs=3 ' scale.txt || fail "three jobs wait: $(cat scale.txt)"
grep -q 'drover scale: sbatch failed.*node configuration' scale.txt || fail "why is not said: $(cat scale.txt)"
sleep 3
[ "$(wc -l <"$SBATCH_LOG")" = 3 ] || fail "sbatch was asked $(wc -l <"$SBATCH_LOG") times, not three: $(cat scale.txt)"
end_scale
for name in nobody paused; do drover cancel launch/$name --store "$S" >out.txt 2>&1 || fail "cancel: $(cat out.txt)"; done

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
