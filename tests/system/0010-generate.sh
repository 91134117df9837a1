#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# drover generate: the expected greedy text of stories260K from both checkpoint versions, whatever the threads; other paths give
# other text; a wrong routing or model is named.
. "$(dirname "$0")/lib.sh"

D=${DROVER_SHARED:-../shared}/data/models/stories260K
if [ ! -r "$D/stories260K.bin" ]; then
    echo "SKIP-DATA system.0010-generate"
    exit 77
fi
text() { drover generate --model "$D/$1.bin" --tokenizer "$D/tok512.bin" --max-new 200 --threads "$2" --routing "$3" 2>"$TMP/generate.log"; }
for version in stories260K stories260K_v1; do
    for threads in 1 2; do
        text "$version" "$threads" 11111 >"$TMP/text" || fail "$version: generate failed"
        cmp "$TMP/text" "$D/expected_greedy_200.txt" || fail "$version, $threads threads: another text"
    done
done
text stories260K 1 11211 >"$TMP/other" || fail "a repeated layer failed"
cmp -s "$TMP/other" "$D/expected_greedy_200.txt" && fail "a repeated layer changed nothing"
rc=0
text stories260K 1 11131 >/dev/null || rc=$?
[ "$rc" != 0 ] && grep -q "digit 4" "$TMP/generate.log" || fail "a wrong routing was not named"
rc=0
text stories260K 1 111 >/dev/null || rc=$?
[ "$rc" != 0 ] && grep -q "5 layers" "$TMP/generate.log" || fail "a short routing was not named"

# The same path in three ways; a text from the standard input; one object for programs; a stop string; the same seed, the same text.
generate() { drover generate --model "$D/stories260K.bin" --tokenizer "$D/tok512.bin" --max-new 60 "$@" 2>"$TMP/generate.log"; }
generate --routing 10121 Lily >"$TMP/digits" || fail "--routing failed"
generate --path 1,0,1,2,1 Lily >"$TMP/path" || fail "--path failed"
generate --skip 1 --repeat 3 Lily >"$TMP/skip" || fail "--skip failed"
cmp "$TMP/digits" "$TMP/path" && cmp "$TMP/digits" "$TMP/skip" || fail "one path, several texts"
printf Lily | generate --path 1,0,1,2,1 - | cmp - "$TMP/digits" || fail "a prompt from the standard input is another"
generate --skip 5 Lily >/dev/null && fail "a layer that is not there was skipped"
grep -q "layers 0 to 4" "$TMP/generate.log" || fail "a wrong layer was not explained"
generate --json --stop Lily | grep -q '"finish":"stop"' || fail "no stop at a stop string"
for threads in 1 2; do
    generate --temperature 0.8 --top-p 0.9 --seed 3 --threads $threads Lily >"$TMP/seed$threads" || fail "sampling failed"
done
cmp "$TMP/seed1" "$TMP/seed2" || fail "a sampled text depends on threads"
generate --temperature 0.8 --top-p 0.9 --seed 4 Lily | cmp -s - "$TMP/seed1" && fail "another seed changed nothing"
drover model show "$D/stories260K.bin" | grep -q "260032" || fail "model show does not count the parameters"
drover model verify "$D/stories260K.bin" >"$TMP/verify" || fail "a whole model was not verified"
grep -q "47 tensors" "$TMP/verify" || fail "model verify does not count the tensors"
head -c 500000 "$D/stories260K.bin" >"$TMP/cut.bin"
drover model verify "$TMP/cut.bin" >/dev/null 2>"$TMP/generate.log" && fail "a cut model was verified"
grep -q "cut.bin" "$TMP/generate.log" || fail "a cut model was not named"
