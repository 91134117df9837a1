-- SPDX-License-Identifier: Apache-2.0
-- queries.sql - every statement of the store, prepared when it opens. "-- name: x" starts one; parameters are named.

-- Transactions.

-- name: begin
BEGIN IMMEDIATE

-- name: commit
COMMIT

-- name: savepoint
SAVEPOINT item

-- name: savepoint_release
RELEASE item

-- name: savepoint_undo
ROLLBACK TO item

-- Incarnation, workers, events.

-- name: incarnation_next
UPDATE meta SET value = value + 1 WHERE name = 'incarnation' RETURNING value

-- name: worker_put
INSERT INTO worker (uid, name, host, pid, version, classes, slots, threads, first_ms, last_ms)
VALUES (:uid, :name, :host, :pid, :version, :classes, :slots, :threads, :now, :now)
ON CONFLICT (uid) DO UPDATE SET last_ms = :now, slots = :slots, threads = :threads, classes = :classes, gone = NULL
RETURNING id

-- name: worker_gone
UPDATE worker SET gone = :why WHERE id = :id

-- name: event_add
INSERT INTO event (at_ms, incarnation, kind, job, attempt, text)
VALUES (:now, :incarnation, :kind, nullif(:job, 0), nullif(:attempt, 0), :text)

-- Blobs.

-- name: blob_put
INSERT INTO blob (digest, size, folder, path) VALUES (:digest, :size, :folder, :path)
ON CONFLICT (digest) DO UPDATE SET path = CASE WHEN :path <> '' THEN :path ELSE path END, evicted = 0
RETURNING id

-- name: blob_get
SELECT size, folder, path, evicted FROM blob WHERE digest = :digest

-- Submitting.

-- name: experiment_put
INSERT INTO experiment (name, submitted_ms) VALUES (:name, :now)
ON CONFLICT (name) DO UPDATE SET submitted_ms = :now, cancelled = 0
RETURNING id

-- name: revision_put
INSERT INTO revision (experiment, number, digest, recipe, path, submitted_ms)
VALUES (:experiment, (SELECT coalesce(max(number), 0) + 1 FROM revision WHERE experiment = :experiment),
        :digest, :recipe, :path, :now)
ON CONFLICT (experiment, digest) DO UPDATE SET recipe = :recipe, path = :path, submitted_ms = :now
RETURNING id

-- name: experiment_revision
UPDATE experiment SET revision = :revision WHERE id = :experiment

-- name: run_put
INSERT INTO run (experiment, digest, seed, revision) VALUES (:experiment, :digest, :seed, :revision)
ON CONFLICT (experiment, digest) DO UPDATE SET revision = :revision, superseded = 0, seed = :seed
RETURNING id

-- name: run_clear_claims
UPDATE run_job SET live = 0 WHERE run = :run AND live = 1

-- name: run_clear_families
DELETE FROM run_family WHERE run = :run

-- name: run_clear_params
DELETE FROM param WHERE run = :run

-- name: param_put
INSERT INTO param (run, name, value) VALUES (:run, :name, :value)

-- name: family_put
INSERT INTO family (key, kind, task, level, split) VALUES (:key, :kind, :task, :level, :split)
ON CONFLICT (key) DO UPDATE SET kind = :kind
RETURNING id

-- name: run_family_put
INSERT INTO run_family (run, step, family, examples) VALUES (:run, :step, :family, :examples)
ON CONFLICT (run, step, family) DO UPDATE SET examples = :examples

-- name: job_find
SELECT id, state FROM job WHERE key = :key

-- name: job_put
INSERT INTO job (key, kind, kind_version, class, step, state, waiting, priority, seed, range_begin, range_end, retries,
                 params, params_text, submitted_ms)
VALUES (:key, :kind, :kind_version, :class, :step, 'WAITING', 0, :priority, :seed, :range_begin, :range_end, :retries,
        :params, :params_text, :now)
RETURNING id

-- name: job_need_clear
DELETE FROM job_need WHERE job = :job

-- name: job_need_put
INSERT INTO job_need (job, need) VALUES (:job, :need) ON CONFLICT DO NOTHING

-- name: job_input_put
INSERT INTO job_input (job, place, name, source, blob, producer, output)
VALUES (:job, :place, :name, :source, nullif(:blob, 0), nullif(:producer, 0), :output)

-- name: job_family_put
INSERT INTO job_family (job, place, family, examples) VALUES (:job, :place, :family, :examples)

-- name: run_job_put
INSERT INTO run_job (run, job, step, live) VALUES (:run, :job, :step, 1)
ON CONFLICT (run, job) DO UPDATE SET live = 1, step = :step

-- name: job_unmet
SELECT coalesce(sum(need.state <> 'DONE'), 0), coalesce(sum(need.state = 'DONE' AND need.diverged), 0)
FROM job_need JOIN job AS need ON need.id = job_need.need WHERE job_need.job = :job

-- name: job_restart
UPDATE job SET state = :state, waiting = :waiting, tries = 0, losses = 0, priority = :priority, retries = :retries
WHERE id = :id

-- name: job_state
UPDATE job SET state = :state WHERE id = :id

-- name: job_outputs
SELECT job_output.name, blob.digest, blob.size, blob.folder, blob.path, blob.evicted
FROM job_output JOIN blob ON blob.id = job_output.blob WHERE job_output.job = :job ORDER BY job_output.name

-- name: job_producers_done
SELECT DISTINCT job_input.producer FROM job_input JOIN job ON job.id = job_input.producer
WHERE job_input.job = :job AND job.state = 'DONE'

-- name: dependents_wait
UPDATE job SET waiting = waiting + 1, state = 'WAITING'
WHERE id IN (SELECT job FROM job_need WHERE need = :job) AND state IN ('WAITING', 'READY')

-- name: run_supersede
UPDATE run SET superseded = 1 WHERE experiment = :experiment AND revision <> :revision AND superseded = 0

-- name: claims_supersede
UPDATE run_job SET live = 0
WHERE run IN (SELECT id FROM run WHERE experiment = :experiment AND revision <> :revision) AND live = 1

-- name: claims_cancel
UPDATE run_job SET live = 0 WHERE run IN (SELECT id FROM run WHERE experiment = :experiment) AND live = 1

-- name: experiment_cancelled
UPDATE experiment SET cancelled = 1 WHERE id = :experiment

-- name: jobs_unclaimed
SELECT DISTINCT job.id FROM run JOIN run_job ON run_job.run = run.id JOIN job ON job.id = run_job.job
WHERE run.experiment = :experiment AND job.state IN ('WAITING', 'READY')
  AND NOT EXISTS (SELECT 1 FROM run_job AS claim WHERE claim.job = job.id AND claim.live = 1)
ORDER BY job.id

-- name: claims_dropped
DELETE FROM run_job WHERE live = 0 AND run IN (SELECT id FROM run WHERE revision = :revision)

-- Ready jobs and leases.

-- name: ready_all
SELECT id, priority, kind, class, tries, losses, retries, max(range_end - range_begin, 1)
FROM job
WHERE state = 'READY' AND priority <= :priority AND (priority < :priority OR id > :id)
  AND EXISTS (SELECT 1 FROM run_job AS claim WHERE claim.job = job.id AND claim.live = 1)
ORDER BY priority DESC, id LIMIT :max

-- name: ready_of
SELECT id, priority, kind, class, tries, losses, retries, max(range_end - range_begin, 1)
FROM job
WHERE state = 'READY' AND priority <= :priority AND (priority < :priority OR id > :id)
  AND EXISTS (SELECT 1 FROM run_job AS claim JOIN run ON run.id = claim.run
              WHERE claim.job = job.id AND claim.live = 1 AND run.experiment = :experiment)
ORDER BY priority DESC, id LIMIT :max

-- name: job_affinity
SELECT blob.digest FROM job_input JOIN blob ON blob.id = job_input.blob
WHERE job_input.job = :job AND job_input.source = 'BLOB'
UNION ALL
SELECT blob.digest FROM job_input
JOIN job_output ON job_output.job = job_input.producer AND job_output.name = job_input.output
JOIN blob ON blob.id = job_output.blob
WHERE job_input.job = :job AND job_input.source = 'OUTPUT'
LIMIT :max

-- name: active
SELECT id FROM experiment
WHERE EXISTS (SELECT 1 FROM run JOIN run_job ON run_job.run = run.id AND run_job.live = 1
              JOIN job ON job.id = run_job.job
              WHERE run.experiment = experiment.id AND job.state IN ('READY', 'WAITING'))

-- name: job_get
SELECT key, kind, kind_version, class, step, state, tries, losses, retries, epoch, range_begin, range_end, seed, params
FROM job WHERE id = :id

-- name: job_inputs
SELECT job_input.name, job_input.source, blob.digest, blob.size, blob.folder, blob.path, job_input.producer,
       job_input.output
FROM job_input LEFT JOIN blob ON blob.id = job_input.blob WHERE job_input.job = :job ORDER BY job_input.place

-- name: job_output_get
SELECT blob.digest, blob.size, blob.folder, blob.path
FROM job_output JOIN blob ON blob.id = job_output.blob
WHERE job_output.job = :job AND job_output.name = :name

-- name: job_families
SELECT family.id, family.key, family.kind, family.task, family.level, family.split, job_family.examples
FROM job_family JOIN family ON family.id = job_family.family WHERE job_family.job = :job ORDER BY job_family.place

-- name: finished_labels
SELECT example.number FROM label JOIN example ON example.id = label.example
WHERE label.family = :family AND label.idx >= :range_begin AND label.idx < :range_end ORDER BY label.idx

-- name: finished_scores
SELECT example.number FROM score JOIN example ON example.id = score.example
WHERE score.family = :family AND score.idx >= :range_begin AND score.idx < :range_end ORDER BY score.idx

-- name: count_labels
SELECT count(*) FROM label WHERE family = :family AND idx >= :range_begin AND idx < :range_end

-- name: count_scores
SELECT count(*) FROM score WHERE family = :family AND idx >= :range_begin AND idx < :range_end

-- Attempts.

-- name: job_epoch_next
UPDATE job SET epoch = epoch + 1 WHERE id = :id RETURNING epoch

-- name: attempt_put
INSERT INTO attempt (job, epoch, worker, incarnation, outcome, started_ms)
VALUES (:job, :epoch, nullif(:worker, 0), :incarnation, 'RUNNING', :now) RETURNING id

-- name: attempt_get
SELECT attempt.job, coalesce(attempt.worker, 0), attempt.incarnation, attempt.epoch, attempt.outcome,
       job.state, job.epoch, coalesce(job.attempt, 0), job.range_begin, job.range_end,
       coalesce((SELECT family FROM job_family WHERE job_family.job = job.id AND place = 0), 0), job.kind
FROM attempt JOIN job ON job.id = attempt.job WHERE attempt.id = :id

-- name: attempts_open
SELECT attempt.id, attempt.job, coalesce(attempt.worker, 0), attempt.incarnation, attempt.epoch,
       job.state = 'READY', job.epoch = attempt.epoch
FROM attempt JOIN job ON job.id = attempt.job WHERE attempt.outcome = 'RUNNING' ORDER BY attempt.id

-- name: attempt_close
UPDATE attempt SET outcome = :outcome, ended_ms = :now, wall_ms = :wall_ms, cpu_ms = :cpu_ms, text = :text,
                   environment = :environment, compared = :compared
WHERE id = :id

-- name: attempt_repeat
UPDATE attempt SET repeats = repeats + 1, compared = coalesce(:compared, compared) WHERE id = :id

-- name: attempt_environment
SELECT coalesce(environment, '') FROM attempt WHERE id = :id

-- name: log_put
INSERT INTO log (attempt, text) VALUES (:attempt, :text) ON CONFLICT (attempt) DO UPDATE SET text = :text

-- name: metric_put
INSERT INTO metric (attempt, name, step, value) VALUES (:attempt, :name, :step, :value)
ON CONFLICT (attempt, name, step) DO UPDATE SET value = :value

-- name: job_spend
UPDATE job SET tries = tries + :tries, losses = losses + :losses WHERE id = :id

-- name: job_commit
UPDATE job SET state = 'DONE', attempt = :attempt, diverged = :diverged, waiting = 0 WHERE id = :id

-- name: job_output_put
INSERT INTO job_output (job, name, blob) VALUES (:job, :name, :blob)

-- name: dependents
SELECT job.id, job.state FROM job_need JOIN job ON job.id = job_need.job
WHERE job_need.need = :job AND job.state = 'WAITING' ORDER BY job.id

-- name: job_fall
UPDATE job SET waiting = waiting - 1, state = CASE WHEN waiting = 1 THEN 'READY' ELSE 'WAITING' END
WHERE id = :id AND state = 'WAITING' RETURNING state

-- name: skip_behind
WITH RECURSIVE behind (id) AS (
    SELECT job FROM job_need WHERE need = :job
    UNION
    SELECT job_need.job FROM behind JOIN job_need ON job_need.need = behind.id
)
UPDATE job SET state = 'SKIPPED' WHERE id IN (SELECT id FROM behind) AND state IN ('WAITING', 'READY')

-- name: changes
SELECT changes()

-- Results of examples.

-- name: example_find
SELECT id FROM example WHERE number = :number AND task = :task AND split = :split AND level = :level

-- name: example_put
INSERT INTO example (task, level, split, number, source_id, question, gold, subset)
VALUES (:task, :level, :split, :number, :source_id, :question, :gold, :subset) RETURNING id

-- name: label_find
SELECT id, digest, example, attempt FROM label WHERE family = :family AND idx = :idx
UNION ALL
SELECT id, digest, example, attempt FROM label WHERE family = :family AND example = :example AND idx <> :idx
LIMIT 1

-- name: score_find
SELECT id, digest, example, attempt FROM score WHERE family = :family AND idx = :idx
UNION ALL
SELECT id, digest, example, attempt FROM score WHERE family = :family AND example = :example AND idx <> :idx
LIMIT 1

-- name: label_repeat
UPDATE label SET repeats = repeats + 1 WHERE id = :id

-- name: score_repeat
UPDATE score SET repeats = repeats + 1 WHERE id = :id

-- name: label_put
INSERT INTO label (family, example, idx, attempt, base_correct, has_label, routing, layers, label_layers, simulations,
                   evaluations, layer_rows, layer_rows_whole, base_answer, label_answer, wall_us, digest)
VALUES (:family, :example, :idx, :attempt, :base_correct, :has_label, :routing, :layers, :label_layers, :simulations,
        :evaluations, :layer_rows, :layer_rows_whole, :base_answer, :label_answer, :wall_us, :digest)
RETURNING id

-- name: search_log_put
INSERT INTO search_log (label, place, parent, routing, reward, visits, value, answer)
VALUES (:label, :place, :parent, :routing, :reward, :visits, :value, :answer)

-- name: score_put
INSERT INTO score (family, example, idx, attempt, correct, correct_norm, answer, layer_rows, layers, tokens, routing,
                   logprob, wall_us, digest, metrics, pick, gold_class, whole_set, truncated, generated)
VALUES (:family, :example, :idx, :attempt, :correct, :correct_norm, :answer, :layer_rows, :layers, :tokens, :routing,
        :logprob, :wall_us, :digest, :metrics, nullif(:pick, -1), nullif(:gold_class, -1), :whole_set, :truncated,
        :generated)

-- Summaries.

-- name: family_complete
SELECT complete, kind FROM family WHERE id = :family

-- name: scores_from
SELECT idx FROM score WHERE family = :family AND idx >= :idx ORDER BY idx

-- name: family_complete_set
UPDATE family SET complete = :complete WHERE id = :family

-- name: summaries_due
SELECT DISTINCT examples FROM run_family
WHERE family = :family AND examples > :begin AND examples <= :complete
  AND NOT EXISTS (SELECT 1 FROM summary
                  WHERE summary.family = run_family.family AND summary.examples = run_family.examples)
ORDER BY examples

-- name: summary_known
SELECT EXISTS (SELECT 1 FROM summary WHERE family = :family AND examples = :examples)

-- name: summary_rows
SELECT score.correct, score.correct_norm, score.metrics, coalesce(score.pick, -1), coalesce(score.gold_class, -1),
       score.whole_set, score.truncated, score.logprob, example.subset
FROM score JOIN example ON example.id = score.example
WHERE score.family = :family AND score.idx < :examples ORDER BY score.idx

-- name: summary_put
INSERT INTO summary (family, examples, metric, value, stderr, stderr_pooled, n, truncated)
VALUES (:family, :examples, :metric, :value, :stderr, :stderr_pooled, :n, :truncated)

-- name: collect
SELECT example.number, example.task, example.level, label.idx, label.base_correct, label.routing
FROM label JOIN example ON example.id = label.example
WHERE label.family = :family AND label.idx < :examples

-- Reading.

-- name: experiments
SELECT experiment.id, experiment.name, experiment.revision, revision.number, experiment.cancelled,
       experiment.submitted_ms,
       (SELECT count(*) FROM run WHERE run.revision = experiment.revision),
       count(DISTINCT job.id),
       count(DISTINCT CASE WHEN job.state = 'DONE' THEN job.id END),
       count(DISTINCT CASE WHEN job.state IN ('FAILED', 'SKIPPED') THEN job.id END)
FROM experiment JOIN revision ON revision.id = experiment.revision
LEFT JOIN run ON run.revision = revision.id
LEFT JOIN run_job ON run_job.run = run.id
LEFT JOIN job ON job.id = run_job.job
GROUP BY experiment.id ORDER BY experiment.submitted_ms, experiment.id

-- name: experiment_find
SELECT id FROM experiment WHERE name = :name

-- name: experiment_last
SELECT id FROM experiment ORDER BY submitted_ms DESC, id DESC LIMIT 1

-- name: experiment_names
SELECT name FROM experiment ORDER BY submitted_ms DESC, id DESC LIMIT 8

-- name: recipe
SELECT revision.recipe FROM experiment JOIN revision ON revision.id = experiment.revision
WHERE experiment.id = :experiment

-- name: runs
SELECT id, seed, superseded,
       coalesce((SELECT group_concat(name || ' = ' || value, ', ')
                 FROM (SELECT name, value FROM param WHERE param.run = run.id ORDER BY name)), '')
FROM run WHERE experiment = :experiment AND superseded <= :superseded ORDER BY id

-- name: status_jobs
SELECT DISTINCT run_job.step, job.kind, job.id, job.state, job.diverged, job.range_begin, job.range_end,
       coalesce((SELECT family FROM job_family WHERE job_family.job = job.id AND place = 0), 0)
FROM experiment
JOIN run ON run.revision = experiment.revision AND run.superseded = 0
JOIN run_job ON run_job.run = run.id
JOIN job ON job.id = run_job.job
WHERE experiment.id = :experiment ORDER BY job.id

-- name: status_seconds
SELECT coalesce(sum(coalesce(wall_ms, ended_ms - started_ms)), 0) / 1000.0 FROM attempt
WHERE job = :job AND outcome <> 'RUNNING'

-- name: unfinished
SELECT EXISTS (SELECT 1 FROM experiment
               JOIN run ON run.revision = experiment.revision AND run.superseded = 0
               JOIN run_job ON run_job.run = run.id
               JOIN job ON job.id = run_job.job
               WHERE experiment.id = :experiment AND job.state IN ('WAITING', 'READY'))

-- name: failures
SELECT DISTINCT job.id, run_job.step, attempt.outcome, coalesce(attempt.text, '')
FROM experiment
JOIN run ON run.revision = experiment.revision AND run.superseded = 0
JOIN run_job ON run_job.run = run.id
JOIN job ON job.id = run_job.job AND job.state = 'FAILED'
JOIN attempt ON attempt.job = job.id AND attempt.epoch = job.epoch
WHERE experiment.id = :experiment ORDER BY job.id

-- name: expected_ms
SELECT coalesce(sum(attempt.wall_ms) * 1.0 / sum(max(job.range_end - job.range_begin, 1)), 0)
FROM job JOIN attempt ON attempt.id = job.attempt WHERE job.kind = :kind AND attempt.outcome = 'DONE'

-- name: labels
SELECT DISTINCT experiment.name, run_family.step, min(run.id), min(run.seed), family.task, family.level, family.split,
       label.idx, example.number, example.source_id, example.question, example.gold, label.base_correct,
       label.has_label, label.routing, label.layers, label.label_layers, label.simulations, label.evaluations,
       label.base_answer, label.label_answer
FROM experiment
JOIN run ON run.experiment = experiment.id AND run.superseded = 0
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
JOIN example ON example.id = label.example
WHERE (:experiment = 0 OR experiment.id = :experiment) AND (:step IS NULL OR run_family.step = :step)
  AND (:task IS NULL OR family.task = :task) AND (:level < 0 OR family.level = :level)
  AND (:example = 0 OR example.number = :example)
GROUP BY experiment.id, run_family.step, family.id, label.id
ORDER BY experiment.name, run_family.step, family.task, family.level, family.split, family.id, label.idx
LIMIT :max

-- Tables. A family has labels (search) or scores.

-- name: sums_labels
SELECT run.id, run.seed, run_family.step, family.key, family.task, family.level, family.split, run_family.examples,
       count(label.id), coalesce(sum(label.base_correct), 0), 0, coalesce(sum(label.has_label), 0),
       coalesce(sum(label.base_correct AND label.has_label), 0),
       coalesce(sum(NOT label.base_correct AND label.has_label), 0),
       coalesce(sum(CASE WHEN label.has_label THEN label.label_layers END), 0),
       coalesce(sum(label.label_layers), 0), coalesce(sum(label.layers), 0), coalesce(sum(label.repeats), 0), 0, ''
FROM run
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family AND family.kind = 'search'
LEFT JOIN label ON label.family = family.id AND label.idx < run_family.examples
WHERE run.experiment = :experiment AND run.superseded = 0
GROUP BY run.id, run_family.step, family.id
ORDER BY run.id, run_family.step, family.task, family.level, family.split, family.key

-- name: sums_scores
SELECT run.id, run.seed, run_family.step, family.key, family.task, family.level, family.split, run_family.examples,
       count(score.id), coalesce(sum(score.correct), 0), coalesce(sum(score.correct_norm), 0), 0, 0, 0,
       coalesce(sum(score.layers), 0), coalesce(sum(score.layers), 0), 0, coalesce(sum(score.repeats), 0),
       coalesce(sum(score.truncated > 0), 0), ''
FROM run
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family AND family.kind <> 'search'
LEFT JOIN score ON score.family = family.id AND score.idx < run_family.examples
WHERE run.experiment = :experiment AND run.superseded = 0
GROUP BY run.id, run_family.step, family.id
ORDER BY run.id, run_family.step, family.task, family.level, family.split, family.key

-- name: subset_sums_labels
SELECT run.id, run.seed, run_family.step, family.key, family.task, family.level, family.split, count(*),
       count(*), sum(label.base_correct), 0, sum(label.has_label),
       sum(label.base_correct AND label.has_label), sum(NOT label.base_correct AND label.has_label),
       coalesce(sum(CASE WHEN label.has_label THEN label.label_layers END), 0),
       sum(label.label_layers), sum(label.layers), sum(label.repeats), 0, example.subset
FROM run
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family AND family.kind = 'search'
JOIN label ON label.family = family.id AND label.idx < run_family.examples
JOIN example ON example.id = label.example
WHERE run.experiment = :experiment AND run.superseded = 0
GROUP BY run.id, run_family.step, family.id, example.subset
ORDER BY run.id, run_family.step, family.task, family.level, family.split, family.key, example.subset

-- name: subset_sums_scores
SELECT run.id, run.seed, run_family.step, family.key, family.task, family.level, family.split, count(*),
       count(*), sum(score.correct), sum(score.correct_norm), 0, 0, 0,
       sum(score.layers), sum(score.layers), 0, sum(score.repeats), sum(score.truncated > 0), example.subset
FROM run
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family AND family.kind <> 'search'
JOIN score ON score.family = family.id AND score.idx < run_family.examples
JOIN example ON example.id = score.example
WHERE run.experiment = :experiment AND run.superseded = 0
GROUP BY run.id, run_family.step, family.id, example.subset
ORDER BY run.id, run_family.step, family.task, family.level, family.split, family.key, example.subset

-- name: summaries
SELECT run.id, run_family.step, family.key, summary.metric, summary.value, summary.stderr, summary.stderr_pooled,
       summary.n, summary.truncated
FROM run
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family
JOIN summary ON summary.family = run_family.family AND summary.examples = run_family.examples
WHERE run.experiment = :experiment AND run.superseded = 0
ORDER BY run.id, run_family.step, family.key, summary.id

-- name: params
SELECT param.run, param.name, param.value FROM run JOIN param ON param.run = run.id
WHERE run.experiment = :experiment AND run.superseded = 0 ORDER BY param.name, param.run

-- name: count_diverged
SELECT coalesce(sum(EXISTS (SELECT 1 FROM run_job JOIN job ON job.id = run_job.job
                            WHERE run_job.run = run.id AND job.diverged = 1)), 0), count(*)
FROM run WHERE run.experiment = :experiment AND run.superseded = 0

-- name: step_reads_labels
SELECT EXISTS (SELECT 1 FROM run
               JOIN run_job ON run_job.run = run.id AND run_job.step = :step
               JOIN job_input ON job_input.job = run_job.job AND job_input.name = 'labels'
               WHERE run.experiment = :experiment AND run.superseded = 0)
