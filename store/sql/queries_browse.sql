-- SPDX-License-Identifier: Apache-2.0
-- queries_browse.sql - what the dashboard asks: one section per subject.

-- ---- Labels (store/browse/labels.h, tree.h) ----

-- name: browse_labels_experiment
SELECT coalesce(revision, 0), submitted_ms, name FROM experiment WHERE id = :experiment

-- name: browse_labels_families
SELECT run_family.step, family.task, family.level, family.split, family.id, max(run_family.examples)
FROM run
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family AND family.kind = 'search'
WHERE run.experiment = :experiment AND run.superseded = 0
GROUP BY run_family.step, family.id

-- name: browse_labels_run_families
SELECT run_family.step, family.task, family.level, family.split, family.id, run_family.examples
FROM run
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family AND family.kind = 'search'
WHERE run.id = :run AND run.experiment = :experiment AND run.superseded = 0

-- name: browse_labels_span
SELECT (SELECT min(run) FROM run_summary WHERE experiment = :experiment),
       (SELECT max(run) FROM run_summary WHERE experiment = :experiment)

-- name: browse_labels_next_family
SELECT min(family) FROM label WHERE family > :family

-- Some of the live runs of an experiment that read a family.
-- name: browse_labels_some
SELECT run_family.step, family.task, family.level, family.split, family.id, run_family.examples
FROM run_family
JOIN run ON run.id = run_family.run AND run.experiment = :experiment AND run.superseded = 0
JOIN family ON family.id = run_family.family
WHERE run_family.family = :family AND run_family.run >= :first
ORDER BY run_family.run LIMIT :limit

-- name: browse_labels_last
SELECT max(id) FROM label

-- Of a family's labels those with numbers above ABOVE up to LAST, from place BEGIN on. The index alone says which they are.
-- name: browse_labels_sums
SELECT idx, base_correct, has_label, routing, layers, label_layers, simulations, evaluations, hinted, layer_rows,
       layer_rows_whole, wall_us
FROM label
WHERE family = :family AND idx >= :begin AND idx < :examples AND +id > :above AND +id <= :last
ORDER BY idx LIMIT :limit

-- The same by number, where few labels of any family are new.
-- name: browse_labels_new
SELECT idx, base_correct, has_label, routing, layers, label_layers, simulations, evaluations, hinted, layer_rows,
       layer_rows_whole, wall_us, id
FROM label
WHERE id > :above AND id <= :last AND +family = :family AND +idx < :examples ORDER BY id

-- name: browse_labels_up
SELECT id, idx, base_correct, has_label, routing, layers, label_layers, simulations, evaluations, hinted, layer_rows,
       layer_rows_whole, wall_us, base_answer, label_answer, family, attempt, example
FROM label WHERE family = :family AND idx > :from AND idx < :end ORDER BY idx

-- name: browse_labels_down
SELECT id, idx, base_correct, has_label, routing, layers, label_layers, simulations, evaluations, hinted, layer_rows,
       layer_rows_whole, wall_us, base_answer, label_answer, family, attempt, example
FROM label WHERE family = :family AND idx > :from AND idx < :end ORDER BY idx DESC

-- name: browse_label
SELECT id, idx, base_correct, has_label, routing, layers, label_layers, simulations, evaluations, hinted, layer_rows,
       layer_rows_whole, wall_us, base_answer, label_answer, family, attempt, example
FROM label WHERE id = :label

-- name: browse_label_family
SELECT task, level, split FROM family WHERE id = :family

-- name: browse_label_example
SELECT printf('%016x', number), source_id, question, gold, subset, number FROM example WHERE id = :example

-- name: browse_label_readers
SELECT experiment.id, experiment.name, run_family.step, run.id, run.seed
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
WHERE run_family.family = :family AND run_family.examples > :idx
ORDER BY run_family.run LIMIT :limit

-- name: browse_label_job
SELECT job.id, job.step, job.params_text, worker.name, worker.host, attempt.ended_ms
FROM attempt
JOIN job ON job.id = attempt.job
LEFT JOIN worker ON worker.id = attempt.worker
WHERE attempt.id = :attempt

-- name: browse_label_log
SELECT place, parent, routing, reward, visits, value, answer FROM search_log WHERE label = :label ORDER BY place

-- ---- Progress (store/browse/ledger.h): rows by their numbers, a chunk at a time ----

-- name: ledger_experiments
SELECT experiment.id, coalesce(experiment.revision, 0), coalesce(revision.number, 0), experiment.name,
       experiment.cancelled, experiment.paused, experiment.priority, experiment.submitted_ms
FROM experiment LEFT JOIN revision ON revision.id = experiment.revision ORDER BY experiment.id LIMIT :max

-- name: ledger_runs
SELECT count(*) FROM run WHERE revision = :revision

-- name: ledger_claims
SELECT run.id, run_job.job, run_job.step
FROM run CROSS JOIN run_job ON run_job.run = run.id
WHERE run.revision = :revision AND run.id >= :run AND run.superseded = 0 AND (run.id > :run OR run_job.job > :job)
ORDER BY run.id, run_job.job LIMIT :max

-- name: ledger_jobs
SELECT id, state, diverged FROM job WHERE id > :after AND id <= :upto ORDER BY id LIMIT :max

-- name: ledger_job_last
SELECT coalesce(max(id), 0) FROM job

-- name: ledger_job_kind
SELECT kind FROM job WHERE id = :job

-- name: ledger_behind
SELECT job FROM job_need WHERE need = :job

-- name: ledger_needs
SELECT job, need FROM job_need WHERE job > :after AND job <= :upto ORDER BY job

-- name: ledger_attempts
SELECT id, job, coalesce(worker, 0), outcome, started_ms, coalesce(ended_ms, started_ms), wall_ms
FROM attempt WHERE id > :after AND id <= :upto ORDER BY id LIMIT :max

-- name: ledger_attempt_last
SELECT coalesce(max(id), 0) FROM attempt

-- name: ledger_event_last
SELECT coalesce(max(id), 0) FROM event

-- name: ledger_events
SELECT id, kind, coalesce(job, 0) FROM event WHERE id > :after ORDER BY id LIMIT :max

-- ---- Overview (store/browse/overview.h) ----

-- name: browse_workers
SELECT id, name, host, pid, version, gone, first_ms, last_ms, slots, threads FROM worker ORDER BY id DESC LIMIT :max

-- name: browse_events
SELECT id, at_ms, kind, text, job, attempt FROM event ORDER BY id DESC LIMIT :max

-- name: browse_experiment
SELECT experiment.id, experiment.name, revision.number, revision.path, revision.git, experiment.submitted_ms
FROM experiment LEFT JOIN revision ON revision.id = experiment.revision WHERE experiment.id = :experiment

-- name: browse_revisions
SELECT number, submitted_ms, path, git, lower(hex(digest)), length(recipe)
FROM revision WHERE experiment = :experiment ORDER BY number DESC LIMIT :max

-- name: browse_recipe
SELECT recipe, path, number FROM revision WHERE experiment = :experiment AND number = :number

-- ---- Jobs (store/browse/jobs.h) ----

-- name: browse_job
SELECT job.id, lower(hex(job.key)), job.kind, job.step, job.state, job.diverged, job.priority, job.tries, job.losses,
       job.retries, coalesce(job.attempt, 0), job.range_begin, job.range_end, job.paused, coalesce(job.owner, 0),
       job.epoch
FROM job WHERE job.id = :job

-- name: browse_run_home
SELECT experiment.id, experiment.name FROM run JOIN revision ON revision.id = run.revision
JOIN experiment ON experiment.id = revision.experiment WHERE run.id = :run

-- name: browse_job_claims
SELECT run_job.run FROM run_job WHERE run_job.job = :job AND run_job.live = :live ORDER BY run_job.run LIMIT :max

-- name: browse_attempt_last
SELECT attempt.id, attempt.outcome, attempt.started_ms, attempt.ended_ms, attempt.wall_ms, attempt.text, attempt.worker,
       worker.name, attempt.epoch
FROM attempt LEFT JOIN worker ON worker.id = attempt.worker WHERE attempt.job = :job ORDER BY attempt.epoch DESC LIMIT 1

-- name: browse_attempt
SELECT attempt.id, attempt.job, attempt.outcome, attempt.text, attempt.epoch, worker.name, worker.host
FROM attempt LEFT JOIN worker ON worker.id = attempt.worker WHERE attempt.id = :attempt

-- name: browse_log_of_job
SELECT log.attempt, log.text FROM attempt JOIN log ON log.attempt = attempt.id
WHERE attempt.job = :job ORDER BY attempt.epoch DESC LIMIT 1

-- Grids: the runs of an experiment in memory.

-- How many there are: up to :exact runs are counted; beyond, as many as lie between the first and the last.
-- name: browse_grid_total
SELECT EXISTS (SELECT 1 FROM experiment WHERE id = :experiment),
       (SELECT count(*) FROM (SELECT 1 FROM run_summary WHERE experiment = :experiment LIMIT :exact)),
       coalesce((SELECT run FROM run_summary WHERE experiment = :experiment ORDER BY run DESC LIMIT 1), 0)
       - coalesce((SELECT run FROM run_summary WHERE experiment = :experiment ORDER BY run LIMIT 1), 0)

-- name: browse_grid_runs
SELECT run_summary.run, run.seed, run.revision, run.superseded, jobs, waiting, ready, done, failed, skipped, cancelled,
       diverged, wall_ms, accuracy, base, oracle, layers, n, tokens, first_ms, last_ms
FROM run_summary JOIN run ON run.id = run_summary.run
WHERE run_summary.experiment = :experiment AND run_summary.run > :after ORDER BY run_summary.run LIMIT :limit

-- name: browse_grid_params
SELECT run, name, value FROM param WHERE run >= :from AND run <= :to ORDER BY run, name

-- name: browse_grid_revision
SELECT number FROM revision WHERE id = :revision

-- Runs with a job that is being worked on: its attempt is open.
-- name: browse_grid_running
SELECT DISTINCT run_job.run FROM attempt INDEXED BY attempt_open
CROSS JOIN run_job ON run_job.job = attempt.job AND run_job.live = 1
CROSS JOIN run ON run.id = run_job.run
WHERE attempt.outcome = 'RUNNING' AND run.experiment = :experiment LIMIT :limit

-- Curves and stages.

-- What a run's step reports under a name, job after job: of the attempt that gave the result; of a job that is still being
-- worked on, up to its last checkpoint. Jobs of runs that halving did not choose belong to others.
-- name: browse_curve_series
SELECT series.id, series.n, series.first_step, series.last_step
FROM run_job
JOIN job ON job.id = run_job.job
JOIN series ON series.attempt = coalesce(job.attempt, (SELECT attempt FROM checkpoint WHERE checkpoint.job = job.id))
     AND series.name = :metric
WHERE run_job.run = :run AND run_job.step = :step
  AND NOT EXISTS (SELECT 1 FROM gate JOIN candidate ON candidate.selector = gate.selector AND candidate.run = gate.run
                  WHERE gate.run = run_job.run AND gate.job = run_job.job AND candidate.chosen = 0)
ORDER BY job.id

-- name: browse_curve_steps
SELECT run_job.step, max(job.id)
FROM run_job
JOIN job ON job.id = run_job.job
JOIN series ON series.attempt = coalesce(job.attempt, (SELECT attempt FROM checkpoint WHERE checkpoint.job = job.id))
     AND series.name = :metric
WHERE run_job.run = :run GROUP BY run_job.step ORDER BY 2

-- name: browse_run_metrics
SELECT run_job.step, series.name, series.n, job.id
FROM run_job
JOIN job ON job.id = run_job.job
JOIN series ON series.attempt = coalesce(job.attempt, (SELECT attempt FROM checkpoint WHERE checkpoint.job = job.id))
WHERE run_job.run = :run

-- Some runs of an experiment, live ones: from a number on.
-- name: browse_some_runs
SELECT run_summary.run FROM run_summary JOIN run ON run.id = run_summary.run
WHERE run_summary.experiment = :experiment AND run_summary.run >= :from AND run.superseded = 0
ORDER BY run_summary.run LIMIT :limit

-- name: browse_stage_jobs
SELECT run_job.step, job.id, job.params_text, job.state = 'DONE',
       coalesce(job.attempt, (SELECT attempt FROM checkpoint WHERE checkpoint.job = job.id), 0)
FROM run_job JOIN job ON job.id = run_job.job
WHERE run_job.run = :run AND job.kind = 'stage' AND (:step IS NULL OR run_job.step = :step)
ORDER BY job.id

-- name: browse_attempt_series
SELECT name, n, finite, first_step, last_step, last, sum FROM series WHERE attempt = :attempt

-- Comparisons.

-- What a run's steps found, of the families whose examples are all there.
-- name: browse_run_tallies
SELECT run_family.step, run_family.family, tally.search, tally.n, tally.correct, tally.labelled, tally.layers_all,
       tally.tokens, tally.generated
FROM run_family
JOIN tally ON tally.family = run_family.family AND tally.examples = run_family.examples AND tally.part = 0
WHERE run_family.run = :run

-- The last value of a metric that a run's jobs reported.
-- name: browse_run_last
SELECT series.last
FROM run_job
JOIN job ON job.id = run_job.job
JOIN series ON series.attempt = job.attempt AND series.name = :metric
WHERE run_job.run = :run AND (:step IS NULL OR run_job.step = :step) ORDER BY job.id DESC LIMIT 1
