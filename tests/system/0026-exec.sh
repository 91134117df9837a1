# SPDX-License-Identifier: Apache-2.0
# Goal: a step can be any program, and whatever that does is named and leaves nothing behind: what it made is used by later steps, what
# failed says why with its last words, what is cancelled is gone within 2 s, what is not on the list does not run.
# Method: a badly behaved program (tests/support/unruly.c) and small scripts under the real daemons; processes are found by a variable of
# their environment.
. "$(dirname "$0")/lib.sh"
cd "$TMP"
UNRULY="$BIN/unruly"
[ -x "$UNRULY" ] || fail "build the target unruly"

left() { grep -la "DROVER_PARAM_MARK=$1" /proc/[0-9]*/environ 2>/dev/null | wc -l; }
none_left() { [ "$(left "$1")" -eq 0 ]; }
some_left() { [ "$(left "$1")" -gt 0 ]; }

# recipe NAME COMMAND [more keys of the step]
recipe() {
    cat >"$1.cfg" <<END
name = "exec/$1";
steps = ( { id = "go"; job = "exec"; command = [$2]; retries = 0; parameters = { mark = "$1-$$"; lr = 0.5; }; seed = "run"; $3 } );
END
}
# fails NAME OUTCOME TEXT: the recipe's only job ends so, and leaves nothing.
fails() {
    if drover run "$1.cfg" --allow-exec --store "$1.db" --workers 1 >"$1.out" 2>"$1.err"; then fail "$1 was taken for good: $(cat "$1.err")"; fi
    got=$(rows "$1.db" "select outcome || '|' || replace(text, char(34), '') from attempt")
    case $got in *"$2|"*"$3"*) ;; *) fail "$1: \"$got\" instead of $2 and \"$3\"; $(cat "$1.err")" ;; esac
    none_left "$1-$$" || fail "$1 left $(left "$1-$$") processes behind"
}

note "a chain of programs, a sweep over a parameter, metrics, scores, outputs"
cat >trainer.sh <<'END'
#!/bin/sh
set -e
echo "seed $DROVER_SEED lr $DROVER_PARAM_LR data $(cat "$DROVER_INPUT_DATA")"
[ "$1" = "--lr=$DROVER_PARAM_LR" ] && [ "$2" = 'a "quoted"; $HOME {x}' ]
grep -q '"lr": 0' "$DROVER_JOB"
[ -z "${SECRET:-}" ]
for step in 1 2 3; do echo "{\"metric\": \"loss\", \"step\": $step, \"value\": 0.$step}" >&3; done
echo '{"step": 4, "loss": 0.05, "note": "as trainers log", "reward": NaN}' >&3
echo '{"score": 1, "example": 7, "name": "quiz"}' >&3
echo '{"score": 0, "example": 8, "name": "quiz"}' >&3
echo '{"progress": 0.5}' >&3
mkdir "$DROVER_OUTPUT_CKPT"
echo "weights $DROVER_PARAM_LR $DROVER_SEED" >"$DROVER_OUTPUT_CKPT/w.bin"
echo "report $DROVER_PARAM_LR" >"$DROVER_OUTPUT_REPORT_TXT"
END
cat >reader.sh <<'END'
#!/bin/sh
echo "{\"metric\": \"length\", \"step\": 0, \"value\": $(wc -c <"$DROVER_INPUT_CKPT/w.bin")}" >&3
exec grep -q "^report" "$1"
END
chmod +x trainer.sh reader.sh
echo corpus >corpus.txt
cat >chain.cfg <<END
name = "exec/chain";
paths = { here = "$TMP"; };
steps = (
  { id = "tune"; job = "exec"; command = ["$TMP/trainer.sh", "--lr={lr}", "a \"quoted\"; \$HOME {{x}}"]; inputs = { data = "./corpus.txt"; };
    parameters = { lr = 0.1; mark = "chain-$$"; }; outputs = ["ckpt/", "report.txt"]; seed = "run"; time_limit_s = 60.0; },
  { id = "read"; job = "exec"; command = ["$TMP/reader.sh", "{input.report}"]; inputs = { ckpt = "tune.ckpt"; report = "tune.report.txt"; }; }
);
sweep = ( { set = "tune.parameters.lr"; values = [0.1, 0.2]; }, { set = "seed"; values = [1, 2]; } );
END
drover plan chain.cfg >plan.txt || fail "the plan of a chain"
SECRET=x drover run chain.cfg --store chain.db --workers 2 >out.txt 2>err.txt && fail "programs ran without --allow-exec"
grep -q -- '--allow-exec' err.txt || fail "nobody says --allow-exec: $(cat err.txt)"
SECRET=x drover run chain.cfg --allow-exec --store chain.db --workers 2 >out.txt 2>err.txt || fail "a chain of programs: $(cat err.txt; rows chain.db 'select text, log from attempt left join log on log.attempt = attempt.id')"
[ "$(rows chain.db "select count(*) from attempt where outcome = 'DONE'")" -eq 8 ] || fail "not 4 and 4 jobs: $(rows chain.db 'select job, outcome from attempt')"
rows chain.db "select distinct name from series order by name" >names.txt
for name in loss reward quiz score.quiz length; do grep -q -x "$name" names.txt || fail "no metric $name: $(cat names.txt)"; done
# What it printed is in the log of its run.
drover logs 1 --store chain.db >log.txt || fail "drover logs"
grep -q '^seed 1 lr 0.1 data corpus$' log.txt || fail "the program's own words are missing: $(cat log.txt)"
# The same again is cached; another parameter runs only its own jobs.
drover run chain.cfg --allow-exec --store chain.db --workers 1 >out.txt 2>err.txt || fail "again: $(cat err.txt)"
grep -q '8 cached, 0 run' err.txt || fail "it ran again: $(cat err.txt)"
[ "$(rows chain.db "select count(*) from event where kind = 'incident'")" -eq 0 ] || fail "an incident"

note "failures are named"
recipe garbage "\"$UNRULY\", \"garbage\"" ''
drover run garbage.cfg --allow-exec --store garbage.db --workers 1 >out.txt 2>err.txt || fail "garbage is fatal: $(cat err.txt)"
drover logs j1 --store garbage.db >log.txt || fail "drover logs"
grep -q 'event=exec_garbage ' log.txt || fail "nobody tells of garbage: $(cat log.txt)"
recipe closed "\"$UNRULY\", \"close-pipe\"" ''
drover run closed.cfg --allow-exec --store closed.db --workers 1 >out.txt 2>err.txt || fail "a closed pipe is fatal: $(cat err.txt)"
[ "$(rows closed.db "select value from curriculum where metric = 'loss'")" = 0.5 ] || fail "what came before the pipe was closed is lost"
recipe flood "\"$UNRULY\", \"fill-pipe\", \"3\", \"2000\"" ''
drover run flood.cfg --allow-exec --store flood.db --workers 1 >out.txt 2>err.txt || fail "a full pipe is fatal: $(cat err.txt)"
recipe shout "\"$UNRULY\", \"fill-pipe\", \"1\", \"2000\"" ''
drover run shout.cfg --allow-exec --store shout.db --workers 1 >out.txt 2>err.txt || fail "much output is fatal: $(cat err.txt)"
cat >many.sh <<'END'
#!/bin/sh
exec awk 'BEGIN { for (i = 0; i < 90100; i++) printf "{\"score\": %d, \"example\": %d}\n", i < 90000, i }' >&3
END
chmod +x many.sh
recipe many "\"$TMP/many.sh\"" ''
drover run many.cfg --allow-exec --store many.db --workers 1 >out.txt 2>err.txt || fail "many points are fatal: $(cat err.txt)"
[ "$(rows many.db "select count(*) from curriculum where metric = 'score.example'")" = 90000 ] || fail "not 90,000 points"
[ "$(rows many.db "select at_step || ' ' || round(value, 6) from curriculum where metric = 'score'")" = "90100 0.99889" ] || fail "the mean of all scores is missing"
recipe nothing "\"$UNRULY\", \"exit\", \"0\"" 'outputs = ["model/"];'
fails nothing FAILED 'did not leave its output model'
recipe code "\"$UNRULY\", \"exit\", \"7\"" ''
fails code FAILED 'ended with exit code 7'
recipe words '"sh", "-c", "echo first; echo the last words >&2; exit 3"' ''
fails words FAILED 'exit code 3; its last words: the last words'
recipe signal "\"$UNRULY\", \"kill-self\", \"6\"" ''
fails signal FAILED 'killed by signal 6 (SIGABRT)'
recipe memory "\"$UNRULY\", \"eat-memory\"" 'memory_limit_mib = 200.0;'
fails memory OOM 'memory_limit_mib = 200'
recipe slow "\"$UNRULY\", \"ignore-term\"" 'time_limit_s = 1.0; grace_s = 0.2;'
fails slow TIMEOUT 'longer than time_limit_s = 1'
recipe orphans "\"$UNRULY\", \"orphans\"" ''
drover run orphans.cfg --allow-exec --store orphans.db --workers 1 >out.txt 2>err.txt || fail "orphans are fatal: $(cat err.txt)"
none_left "orphans-$$" || fail "orphans are left"
recipe keeper "\"$UNRULY\", \"kill-keeper\"" ''
fails keeper FAILED 'watched the program was killed'
recipe absent "\"/nowhere/program\"" ''
fails absent FAILED 'ENOENT'
touch plain.txt
recipe denied "\"$TMP/plain.txt\"" ''
fails denied FAILED 'EACCES'
echo 'no interpreter' >bare && chmod +x bare
recipe bare "\"$TMP/bare\"" ''
fails bare FAILED 'ENOEXEC'
recipe unlisted "\"sh\", \"-c\", \"touch $TMP/ran.txt\"" ''
drover run unlisted.cfg --allow-exec --allow-program python3 --store unlisted.db --workers 1 >out.txt 2>err.txt && fail "a program that is not on the list ran"
rows unlisted.db "select text from attempt" | grep -q "is not on this worker's list" || fail "unlisted: $(cat err.txt)"
[ ! -e ran.txt ] || fail "a program that is not on the list ran"

note "cancel, preemption, and death of the worker take the whole tree"
now_ms() { echo $(($(date +%s%N) / 1000000)); }
# cancelled NAME MODE: gone within 2 s. That is said of drover, not of a computer that others keep busy: the best of three counts, and
# in none may anything be left.
cancelled() {
    for try in 1 2 3; do
        id=$1-$try
        recipe "$id" "\"$UNRULY\", \"$2\"" 'grace_s = 0.5;'
        drover run "$id.cfg" --allow-exec --store "$id.db" --workers 1 --detach >out.txt 2>err.txt || fail "$id: $(cat err.txt)"
        within 60 some_left "$id-$$" || fail "$id did not start: $(cat "$id".db-logs/*.log)"
        drover cancel "exec/$id" --store "$id.db" >out.txt 2>err.txt || fail "cancel: $(cat err.txt)"
        begin=$(now_ms)
        within 60 none_left "$id-$$" || fail "$id: $(left "$id-$$") processes live long after the cancel"
        took=$(($(now_ms) - begin))
        [ "$took" -gt 2000 ] || return 0
        note "$id: gone after $took ms"
    done
    fail "$1: its processes live longer than 2 s after a cancel, three times"
}
cancelled deaf ignore-term
cancelled daemons daemons
cancelled full fill-pipe
cancelled storm fork-storm
recipe drain "\"$UNRULY\", \"daemons\"" 'grace_s = 0.5;'
start_coordinator "$TMP/drain.db"
"$BIN/drover" submit drain.cfg --coordinator "$ENDPOINT" >out.txt 2>err.txt || fail "submit: $(cat err.txt)"
start_worker plain
sleep 1
none_left "drain-$$" || fail "a worker without --allow-exec ran a program"
start_worker one --allow-exec --allow-program "$UNRULY"
within 60 some_left "drain-$$" || fail "the worker with the list took nothing"
kill "$WORKER"
within 30 none_left "drain-$$" || fail "preemption left $(left "drain-$$") processes"
within 10 at_least "$TMP/drain.db" "select count(*) from attempt where outcome = 'PREEMPTED'" 1 || fail "not preempted: $(rows drain.db 'select outcome, text from attempt')"
start_worker two --allow-exec --allow-program "$UNRULY"
within 60 some_left "drain-$$" || fail "it did not go on elsewhere"
kill -9 "$WORKER"
within 30 none_left "drain-$$" || fail "the worker died and left $(left "drain-$$") processes"

note "each slot's programs see GPUs of their own"
cat >gpus.sh <<'END'
#!/bin/sh
[ -z "${SLURM_JOB_GPUS:-}" ] || exit 1
for id in $(echo "$CUDA_VISIBLE_DEVICES" | tr , ' '); do echo "{\"metric\": \"gpu\", \"step\": $id, \"value\": $DROVER_SEED}" >&3; done
sleep 2
END
chmod +x gpus.sh
cat >gpus.cfg <<END
name = "exec/gpus";
steps = ( { id = "see"; job = "exec"; command = ["$TMP/gpus.sh"]; requires = ["gpu"]; seed = "run"; } );
sweep = ( { set = "seed"; values = [1, 2]; } );
END
start_coordinator "$TMP/gpus.db"
export CUDA_VISIBLE_DEVICES=4,5,6,7 SLURM_JOB_GPUS=0,1,2,3
start_worker cards --slots 2 --label gpu --allow-exec --allow-program "$TMP/gpus.sh"
unset CUDA_VISIBLE_DEVICES SLURM_JOB_GPUS
"$BIN/drover" submit gpus.cfg --coordinator "$ENDPOINT" >out.txt 2>err.txt || fail "submit: $(cat err.txt)"
within 60 at_least gpus.db "select count(*) from job where state = 'DONE'" 2 || fail "programs for GPUs: $(rows gpus.db 'select outcome, text from attempt')"
seen=$(rows gpus.db "select group_concat(at_step, ' ') from (select value, at_step from curriculum where metric = 'gpu' order by at_step) group by value order by 1" | tr '\n' ';')
[ "$seen" = '4 6;5 7;' ] || fail "the programs saw: $seen"
kill "$WORKER"

note "the torchtune recipe, with a stand-in for tune"
mkdir -p path model
cp "$HERE/tune.sh" path/tune
cp "$HERE/../../experiments/recipes/curriculum/torchtune_stage.py" path/
echo base >model/model.safetensors
echo '{}' >model/config.json
PATH="$TMP/path:$PATH" drover run "$HERE/../../experiments/recipes/curriculum/torchtune.cfg" --allow-exec --store tune.db --workers 2 \
    --set paths.model="$TMP/model" --set seed=1,2 --set stage1.parameters.updates=3 >out.txt 2>err.txt ||
    fail "torchtune.cfg: $(cat err.txt; rows tune.db 'select text from attempt')"
# 3 schedules x 2 seeds x 3 stages, but the first stage is one for the exponential and the linear schedule.
[ "$(rows tune.db "select count(*) from attempt where outcome = 'DONE'")" -eq 16 ] || fail "jobs of torchtune.cfg: $(cat err.txt)"
rows tune.db "select distinct name from series" | grep -q response_lengths || fail "no metrics of tune"

note "bad input"
refused() { # NAME TEXT: what `drover plan` says
    drover plan "$1.cfg" >out.txt 2>err.txt && fail "$1 is planned"
    grep -q -- "$2" err.txt || fail "$1: \"$2\" is missing in: $(cat err.txt)"
    grep -q "$1.cfg:[0-9]" err.txt || fail "$1: no place in: $(cat err.txt)"
}
recipe typo '"python3", "{paramters}"' ''
refused typo 'there is no {paramters}'
recipe near '"python3", "{input.dat}"' 'inputs = { data = "./corpus.txt"; };'
refused near 'did you mean {input.data}'
recipe relative '"bin/python3"' ''
refused relative 'relative path'
recipe lone '"python3", "{\"a\": 1}"' ''
refused lone 'written twice'
recipe slash '"python3"' 'outputs = ["../x"];'
refused slash 'plain name'
recipe missing '"python3"' 'inputs = { data = "nobody.x"; };'
refused missing 'no step is called'
"$BIN/drover-worker" -c tcp://127.0.0.1:1 --allow-exec >out.txt 2>&1 && fail "--allow-exec without a list"
grep -q 'allow-program' out.txt || fail "no word on the list"
note "done"
