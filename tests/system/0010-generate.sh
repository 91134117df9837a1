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
