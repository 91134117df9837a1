#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Bad input gets a message that names the place and the remedy, a non-zero exit code, and costs nothing that was there.
. "$(dirname "$0")/lib.sh"

# refused CODE TEXT COMMAND...: the command ends with CODE and says TEXT (a basic regular expression).
refused() {
    code=$1
    text=$2
    shift 2
    rc=0
    "$@" >"$TMP/out.log" 2>&1 </dev/null || rc=$?
    [ "$rc" = "$code" ] || fail "exit code $rc, not $code: $*"
    grep -q -- "$text" "$TMP/out.log" || fail "does not say \"$text\": $*"
    note "$(head -n 1 "$TMP/out.log" | cut -c1-150)"
}

recipe() { cat >"$TMP/r.cfg"; }
plan() { drover plan "$TMP/r.cfg" --store "$TMP/none.db"; }

note "usage"
refused 2 'did you mean "query"' drover qurey
refused 2 'nosuch' drover run --nosuch
refused 2 '' drover query

note "recipes"
recipe <<'R'
name = "r";
steps = ( { id = "a"; job = "pretrain"; tasks = ["math"]; stepz = 5; } );
R
refused 1 'r.cfg:2: .*did you mean steps' plan
recipe <<'R'
name = "r";
steps = ( { id = "a"; job = "pretrain"; tasks = ["math"];
  steps = 0; } );
R
refused 1 'r.cfg:3: .*out of range' plan
recipe <<'R'
name = "r";
steps = ( { id = "a"; job = "pretrain"; tasks = ["math"]; layers = "eight"; } );
R
refused 1 'r.cfg:2: .*layers.*must be an integer' plan
recipe <<'R'
name = "r";
steps = ( { id = "a"; job = "pretrain"; } );
R
refused 1 'r.cfg:2: .*tasks: missing' plan
recipe <<'R'
name = "r";
steps = ( { id = "a"; job = "pretrain" tasks } );
R
refused 1 'r.cfg:2: ' plan
recipe <<'R'
name = "r";
steps = ( { id = "s"; job = "search"; model = "c"; tasks = ["math"]; examples = 5; } );
R
refused 1 'r.cfg:2: .*no step is called "c"' plan
recipe <<'R'
name = "r";
steps = ( { id = "a"; job = "search"; model = "b"; tasks = ["math"]; examples = 5; },
          { id = "b"; job = "search"; model = "a"; tasks = ["math"]; examples = 5; } );
R
refused 1 'cycle: a -> b -> a' plan
recipe <<'R'
name = "r";
steps = ( { id = "b"; job = "pretrain"; tasks = ["math"]; },
          { id = "s"; job = "search"; model = "b"; tasks = ["math"]; levels = [1]; split = "test"; examples = 100000; } );
R
refused 1 '6[0-9][0-9][0-9][0-9]' plan
refused 1 'nofile.cfg' drover plan "$TMP/nofile.cfg"

note "task files"
printf '%s\n' '{"id":"q","question":{"stem":"s","choices":[{"text":"a","label":"A"},{"text":"b","label":"B"}]},"answerKey":"A"}' \
    '{"id": broken' >"$TMP/arc.jsonl"
drover run "$HERE/tiny.cfg" --store "$TMP/good.db" --workers 1 >"$TMP/good.log" 2>&1 || fail "the good run failed"
model=$(find "$TMP/good.db-blobs" -type f -size +20k | head -n 1)
[ -s "$model" ] || fail "the run left no checkpoint"
refused 1 'arc.jsonl:2: ' drover run arc_stories --store "$TMP/x.db" --workers 1 --set paths.model="$TMP/model" \
    --set paths.arc_easy="$TMP/arc.jsonl"

note "checkpoints"
mkdir "$TMP/model"
digest_of() { rows "$TMP/good.db" "select lower(hex(digest)) from blob where folder = 1 limit 1"; }
manifest=$(find "$TMP/good.db-blobs" -name "$(digest_of)" -type f)
while read -r name size digest; do
    cp "$(find "$TMP/good.db-blobs" -name "$digest" -type f)" "$TMP/model/$name"
    [ -n "$size" ]
done <"$manifest"
"$BIN/drover-generate" --model "$TMP/model" --prompt '1+2=' --max-new 1 >"$TMP/out.log" 2>&1 || fail "the trained model does not load"
cp -r "$TMP/model" "$TMP/short"
truncate -s -100 "$TMP/short/model.safetensors"
refused 1 'model.safetensors' "$BIN/drover-generate" --model "$TMP/short" --max-new 1
cp -r "$TMP/model" "$TMP/long"
printf 'extra' >>"$TMP/long/model.safetensors"
refused 1 'model.safetensors' "$BIN/drover-generate" --model "$TMP/long" --max-new 1
cp -r "$TMP/model" "$TMP/shape"
sed -i 's/"intermediate_size": *64/"intermediate_size": 72/' "$TMP/shape/config.json"
refused 1 'asks for' "$BIN/drover-generate" --model "$TMP/shape" --max-new 1
head -c 20 /dev/urandom >"$TMP/noise.bin"
refused 1 'noise.bin' "$BIN/drover-generate" --model "$TMP/noise.bin" --max-new 1

note "stores"
before=$(drover labels --dump --store "$TMP/good.db" | cksum)
python3 - "$TMP/good.db" "$TMP/newer.db" <<'PY'
import shutil, sqlite3, sys
shutil.copy(sys.argv[1], sys.argv[2])
db = sqlite3.connect(sys.argv[2])
db.execute("pragma user_version = 999")
db.commit()
PY
refused 1 'newer' drover run "$HERE/tiny.cfg" --store "$TMP/newer.db" --workers 1
refused 1 'newer' drover query --store "$TMP/newer.db" 'select 1'
printf 'not a database at all, but long enough to look like one\n%.0s' 1 2 3 4 5 6 7 8 9 10 >"$TMP/text.db"
refused 1 'text.db' drover run "$HERE/tiny.cfg" --store "$TMP/text.db" --workers 1
refused 1 'nothere.db' drover query --store "$TMP/nothere.db" 'select 1'
[ "$(drover labels --dump --store "$TMP/good.db" | cksum)" = "$before" ] || fail "the good store changed"
