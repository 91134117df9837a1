#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a changed recipe runs anew is what depends on the change, and nothing else; counted from the attempts. Then halving: who goes
# on, what a repetition, another recipe with the same candidates and a new candidate run.
. "$(dirname "$0")/lib.sh"

S=$TMP/results.db
R=$TMP/recipe.cfg
count=0
# ran WHAT N SQL: `drover run` of $R executes N jobs, all of which SQL (a condition on job) describes.
ran() {
    drover run "$R" --store "$S" --workers 2 --quiet >"$TMP/run.log" 2>&1 || fail "$1: the run failed"
    new=$(rows "$S" "select count(*) from attempt where id > $count")
    [ "$new" = "$2" ] || fail "$1: $new jobs were executed, not $2"
    other=$(rows "$S" "select count(*) from attempt join job on job.id = attempt.job where attempt.id > $count and not ($3)")
    [ "$other" = 0 ] || fail "$1: $other of the executed jobs do not depend on the change"
    count=$(rows "$S" "select coalesce(max(id), 0) from attempt")
    note "$1: $new executed"
}
is() { [ "$(rows "$S" "$2")" = "$3" ] || fail "$1: $(rows "$S" "$2"), not $3"; }

# recipe SCHEDULES GAMMAS
recipe() {
    cat >"$R" <<END
name = "incremental";
steps = (
  { id = "warm"; job = "noop"; schedule = "linear"; seed = "run"; },
  { id = "train"; job = "noop"; model = "warm"; gamma = 0.5; stage = 1; seed = "run"; }
);
sweep = (
  { set = "warm.schedule"; values = [$1]; },
  { set = "train.gamma"; values = [$2]; },
  { set = "seed"; values = [1, 2]; }
);
END
}
recipe '"linear", "cosine"' '0.1, 0.2, 0.3'
ran "a first time" 16 "1"
ran "again" 0 "1"

cat >"$R" <<END
# The same, said otherwise: comments, the order of keys and of steps, numbers in other forms, values in another order.
sweep = (
  { values = [2, 1]; set = "seed"; },
  { values = [0.3, 1e-1, 0.20]; set = "train.gamma"; },
  { values = ["cosine", "linear"]; set = "warm.schedule"; }
);
steps = (
  { stage = 1; gamma = 0.5; seed = "run"; model = "warm"; job = "noop"; id = "train"; },
  /* first of all */
  { seed = "run"; schedule = "linear"; job = "noop"; id = "warm"; }
);
name = "incremental";
END
ran "said otherwise" 0 "1"
is "revisions" "select count(*) from revision" 1
is "runs" "select count(*) from run where superseded = 0" 12

recipe '"linear", "cosine"' '0.1, 0.2, 0.3, 0.4'
ran "one value of gamma more" 4 "job.step = 'train' and job.params_text like '%gamma = 0.4%'"
recipe '"linear", "cosine", "step"' '0.1, 0.2, 0.3, 0.4'
ran "one schedule more" 10 "job.step = 'train' or job.step = 'warm' and job.params_text like '%schedule = \"step\"%'"
recipe '"linear", "step"' '0.2, 0.4'
ran "fewer values" 0 "1"
is "runs of the smaller revision" "select count(*) from run where superseded = 0" 8
is "executions per job" "select max(n) from (select count(*) n from attempt group by job)" 1

# Halving: 8 candidates of two seeds, 4 go on, then 2.
cp "$HERE/rungs.cfg" "$R"
ran "halving" 30 "1"
is "jobs that nobody was chosen for" "select count(*) from job where state = 'SKIPPED'" 20
is "candidates that went on" "select group_concat(n, ' ') from (select count(distinct candidate) n from halving
    where experiment = 'rungs' and chosen = 1 group by step order by step)" '4 2'
is "runs" "select count(*) from run_result where experiment = 'rungs'" 16
is "the best of rung 1 by plain SQL, and not chosen" "select count(*) from
    (select h.candidate, h.chosen, rank() over (order by avg(c.value) desc) r from halving h join curriculum c on c.run = h.run
        and c.step = 's1' and c.metric = 'reward' and c.at_step = 3 where h.step = 'halving.1' group by h.candidate, h.chosen)
    where (r <= 4) <> (chosen = 1)" 0
ran "halving again" 0 "1"
drover run "$R" --store "$S" --workers 2 2>&1 | grep -q '20 skipped by halving' || fail "the summary does not tell what halving skipped"

sed 's/"rungs"/"replayed"/' "$HERE/rungs.cfg" >"$R"
ran "another recipe of the same candidates" 0 "1"
is "its decisions" "select count(*) from halving a join halving b on b.job = a.job and b.candidate = a.candidate and b.seed = a.seed
    where a.experiment = 'rungs' and b.experiment = 'replayed' and a.chosen = b.chosen" 32

# Two more jobs in rung 1; two decisions; one candidate more goes on in rung 1 and in rung 2.
sed 's/values = \[0.0,/values = [0.0, 0.05,/' "$HERE/rungs.cfg" >"$R"
ran "one candidate more" 8 "job.kind = 'select' or job.step in ('s1', 's2', 's3')"
is "executions per job" "select max(n) from (select count(*) n from attempt group by job)" 1
is "candidates that went on" "select group_concat(n, ' ') from (select count(distinct candidate) n from halving
    where experiment = 'rungs' and chosen = 1 group by step order by step)" '5 3'

# Without halving everybody goes all the way: only what was skipped is run.
sed 's/"rungs"/"whole"/; /^halving/d' "$HERE/rungs.cfg" >"$R"
before=$(rows "$S" "select count(*) from job where state = 'DONE' and kind = 'noop'")
drover run "$R" --store "$S" --workers 2 --quiet >"$TMP/run.log" 2>&1 || fail "the whole sweep failed"
is "executions per job" "select max(n) from (select count(*) n from attempt group by job)" 1
is "jobs of the whole sweep" "select count(*) from run_job join run on run.id = run_job.run join experiment on
    experiment.id = run.experiment join job on job.id = run_job.job where experiment.name = 'whole' and job.state = 'DONE'" 48
note "the whole sweep ran $(($(rows "$S" "select count(*) from job where state = 'DONE' and kind = 'noop'") - before)) jobs more"

# Everything has run by now. The halving decides as before, and a run does not show what it does without, whoever ran it.
cp "$HERE/rungs.cfg" "$R"
attempts=$(rows "$S" "select count(*) from attempt")
drover run "$R" --store "$S" --workers 2 --quiet >"$TMP/run.log" 2>&1 || fail "the halving after the whole sweep"
is "attempts after the halving ran again" "select count(*) from attempt" "$attempts"
is "runs that show stages beyond their last rung" "select count(*) from curriculum c join halving h on h.run = c.run
    where c.experiment = 'rungs' and h.chosen = 0 and ((h.step = 'halving.1' and c.step in ('s2', 's3'))
        or (h.step = 'halving.2' and c.step = 's3'))" 0
is "runs that show the last stage" "select count(distinct run) from curriculum where experiment = 'rungs' and step = 's3'" 4
is "the same of the whole sweep" "select count(distinct run) from curriculum where experiment = 'whole' and step = 's3'" 16
