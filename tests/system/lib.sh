# SPDX-License-Identifier: Apache-2.0
# lib.sh - sourced by the system tests: real processes, real sockets, a folder of their own. BIN names the programs' folder.
set -eu
: "${BIN:?BIN names the folder of the programs}"
HERE=$(cd "$(dirname "$0")" && pwd)
TMP=$(mktemp -d "${TMPDIR:-/tmp}/drover-system-XXXXXX")
unset DROVER_KEY DROVER_SERVER_KEY DROVER_INSECURE
PIDS=

drover() { "$BIN/drover" "$@"; }
note() { printf '# %s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    for log in "$TMP"/*.log; do
        [ -s "$log" ] && { printf -- '--- %s\n' "$log"; tail -n 25 "$log"; } >&2
    done
    exit 1
}

# Ends only what this test started, by pid.
cleanup() {
    [ -z "${KEEP:-}" ] || return 0
    for pid in $PIDS; do kill -9 "$pid" 2>/dev/null || true; done
    rm -rf "$TMP"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# within SECONDS COMMAND...: try the command until it succeeds.
within() {
    tries=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

# start_coordinator STORE [options]: sets COORDINATOR (pid) and ENDPOINT.
start_coordinator() {
    store=$1
    shift
    rm -f "$TMP/ready"
    "$BIN/drover-coordinator" --store "$store" --listen 'tcp://127.0.0.1:*' --ready-file "$TMP/ready" \
        --lease-ms 3000 --renew-ms 500 --heartbeat-ms 300 --reattach-ms 4000 "$@" >>"$TMP/coordinator.log" 2>&1 &
    COORDINATOR=$!
    PIDS="$PIDS $COORDINATOR"
    within 20 test -s "$TMP/ready" || fail "the coordinator did not become ready"
    ENDPOINT=$(cat "$TMP/ready")
    # For every command and worker that is given --coordinator.
    DROVER_KEY=$store-keys/local.key DROVER_SERVER_KEY=$store-keys/coordinator.pub
    export DROVER_KEY DROVER_SERVER_KEY
}

# start_worker NAME [options]: sets WORKER (pid); its log is $TMP/worker-NAME.log.
start_worker() {
    name=$1
    shift
    "$BIN/drover-worker" --coordinator "$ENDPOINT" --name "$name" --slots 1 --threads 1 --cache "$TMP/cache-$name" \
        --log-level debug "$@" >>"$TMP/worker-$name.log" 2>&1 &
    WORKER=$!
    PIDS="$PIDS $WORKER"
}

rows() { drover query --store "$1" --csv "$2" | tail -n +2; }
at_least() { [ "$(rows "$1" "$2")" -ge "$3" ]; }
