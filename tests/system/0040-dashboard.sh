#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Goal: the dashboard's server answers what it should, refuses what strangers, foreign pages and clumsy programs send without changing
# or leaking anything, keeps answering while others misbehave, and ends cleanly. Method: the real process on a generated store whose
# every text is HTML; raw sockets and http.client (dashboard.py); the store's bytes before and after.
. "$(dirname "$0")/lib.sh"

S=$TMP/results.db
"$BIN/drover-make-store" --out "$S" --runs 300 --hostile >"$TMP/make.log" 2>&1 || fail "no store"
cksum <"$S" >"$TMP/before"
ls "$TMP" >"$TMP/files-before"

# start_dashboard NAME [options]: sets DASHBOARD (pid) and URL; its output is $TMP/NAME.{out,log}.
start_dashboard() {
    name=$1
    shift
    rm -f "$TMP/url"
    "$BIN/drover" dashboard --port 0 --ready-file "$TMP/url" "$@" >"$TMP/$name.out" 2>"$TMP/$name.log" &
    DASHBOARD=$!
    PIDS="$PIDS $DASHBOARD"
    within 20 test -s "$TMP/url" || fail "the dashboard did not become ready"
    URL=$(cat "$TMP/url")
}
# refused CODE WORDS options...: it does not start, with this exit status and these words.
refused() {
    want=$1 words=$2
    shift 2
    code=0
    timeout 20 "$BIN/drover" dashboard --port 0 "$@" >"$TMP/refused.out" 2>&1 || code=$?
    [ "$code" = "$want" ] || fail "exit status $code, not $want: $*: $(cat "$TMP/refused.out")"
    grep -q -- "$words" "$TMP/refused.out" || fail "not said: $words: $(cat "$TMP/refused.out")"
}
stop_dashboard() {
    kill "-$1" "$DASHBOARD"
    code=0
    wait "$DASHBOARD" || code=$?
    [ "$code" = 0 ] || fail "SIG$1: exit status $code"
    ! grep -q "level=error" "$TMP/$name.log" || fail "errors were logged: $(grep level=error "$TMP/$name.log" | head -n 3)"
}

note "what it does not start with"
refused 1 "no store at" --store "$TMP/none.db"
refused 2 "needs --token-file" --store "$S" --bind 0.0.0.0
refused 2 "is no address" --store "$S" --bind nowhere
refused 2 "is no file" --store "$S" --token-file /dev/null
printf 'short\n' >"$TMP/short"
chmod 600 "$TMP/short"
refused 2 "has 5 characters" --store "$S" --token-file "$TMP/short"
printf '0123456789abcdef0123\n' >"$TMP/token"
chmod 644 "$TMP/token"
refused 1 "chmod 600" --store "$S" --token-file "$TMP/token"
chmod 600 "$TMP/token"
printf 'no database at all, but long enough to look like one' >"$TMP/text.db"
refused 1 "text.db" --store "$TMP/text.db"
refused 2 "unexpected argument" --store "$S" results.db

note "answers, and hostile requests"
start_dashboard plain --store "$S" --time-ms 1500
grep -q "drover dashboard: http://127.0.0.1:[0-9]*/ (store .*; Ctrl-C ends it)" "$TMP/plain.out" || fail "no greeting"
port=${URL##*:}
refused 1 "is taken" --store "$S" --port "${port%/}"
python3 "$HERE/dashboard.py" plain "$URL" || fail "requests"
stop_dashboard TERM

note "with a token"
start_dashboard token --store "$S" --token-file "$TMP/token" --bind 0.0.0.0 --host cluster.lab
python3 "$HERE/dashboard.py" token "$URL" "$(cat "$TMP/token")" || fail "token"
! grep -q "$(cat "$TMP/token")" "$TMP/token.out" "$TMP/token.log" || fail "the token was printed"
stop_dashboard INT

note "the store is as it was"
cksum <"$S" >"$TMP/after"
cmp "$TMP/before" "$TMP/after" || fail "the store changed"
[ ! -s "$S-wal" ] || fail "something was written to the log"

note "the end comes quickly, whoever is connected and whatever is computed"
start_dashboard busy --store "$S" --time-ms 60000
python3 "$HERE/dashboard.py" busy "$URL" "$DASHBOARD" || fail "the end"
code=0
wait "$DASHBOARD" || code=$?
[ "$code" = 0 ] || fail "SIGTERM while busy: exit status $code"

note "another file in the store's place, and none"
"$BIN/drover-make-store" --out "$TMP/other.db" --runs 70 >"$TMP/make.log" 2>&1 || fail "no store"
start_dashboard moved --store "$S"
python3 "$HERE/dashboard.py" moved "$URL" "$S" "$TMP/other.db" || fail "a store that moves"
stop_dashboard TERM

note "without its page"
start_dashboard bare --store "$S" --no-page
python3 "$HERE/dashboard.py" bare "$URL" || fail "--no-page"
stop_dashboard TERM
note "done"
