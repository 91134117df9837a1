#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One command trains, searches on two workers, evaluates and prints; a second one finds everything done; the store answers.
. "$(dirname "$0")/lib.sh"

S=$TMP/results.db
drover run "$HERE/tiny.cfg" --store "$S" --workers 2 >"$TMP/first.log" 2>&1 || fail "the first run failed"
[ "$(rows "$S" "select count(*) from label")" = 160 ] || fail "160 labels expected"
[ "$(rows "$S" "select count(*) from score")" = 320 ] || fail "320 scores expected"
[ "$(rows "$S" "select count(*) from job where state <> 'DONE'")" = 0 ] || fail "a job is not done"
[ "$(rows "$S" "select count(distinct worker) from attempt")" = 2 ] || fail "both workers were to work"

note "an oracle score is what the label promised"
wrong=$(rows "$S" "select count(*) from label l join score s using (example)
    join run_family rf on rf.family = s.family where rf.step = 'oracle' and s.correct <> l.has_label")
[ "$wrong" = 0 ] || fail "$wrong oracle scores disagree with their labels"

note "the second run does nothing again"
attempts=$(rows "$S" "select count(*) from attempt")
drover run "$HERE/tiny.cfg" --store "$S" --workers 2 >"$TMP/second.log" 2>&1 || fail "the second run failed"
[ "$(rows "$S" "select count(*) from attempt")" = "$attempts" ] || fail "the second run started jobs"
grep -q "cached" "$TMP/second.log" || fail "the second run does not say that jobs are cached"

note "people's own SQL is read-only"
drover query --store "$S" "delete from label" >"$TMP/delete.log" 2>&1 && fail "a DELETE was let through"
[ "$(rows "$S" "select count(*) from label")" = 160 ] || fail "labels are gone"
drover status --store "$S" >"$TMP/status.log" 2>&1 || fail "status failed"
drover labels --store "$S" --limit 3 >"$TMP/labels.log" 2>&1 || fail "labels failed"
drover query --store "$S" --json "select count(*) as n from label" | grep -q 160 || fail "query --json"
