-- SPDX-License-Identifier: Apache-2.0
-- queries.sql - every statement of the store, prepared when it opens. "-- name: x" starts one; parameters are named.

-- Transactions.

-- name: begin
BEGIN IMMEDIATE

-- name: commit
COMMIT

-- How many transactions were committed: see mark.h.
-- name: commits_set
UPDATE meta SET value = :value WHERE name = 'commits'

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
INSERT INTO worker (uid, name, host, pid, version, classes, slots, threads, first_ms, last_ms, environment)
VALUES (:uid, :name, :host, :pid, :version, :classes, :slots, :threads, :now, :now, :environment)
ON CONFLICT (uid) DO UPDATE SET last_ms = :now, slots = :slots, threads = :threads, classes = :classes, gone = NULL,
                                environment = coalesce(:environment, environment)
RETURNING id

-- name: worker_gone
UPDATE worker SET gone = :why WHERE id = :id

-- name: event_add
INSERT INTO event (at_ms, incarnation, kind, job, attempt, text)
VALUES (:now, :incarnation, :kind, nullif(:job, 0), nullif(:attempt, 0), :text)

-- name: audit_add
INSERT INTO audit (at_ms, who, role, peer, what, text) VALUES (:now, :who, :role, :peer, :what, :text)

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
INSERT INTO family (key, kind, task, level, split, evaluation)
VALUES (:key, :kind, :task, :level, :split, :evaluation)
ON CONFLICT (key) DO UPDATE SET kind = :kind, evaluation = coalesce(:evaluation, evaluation)
RETURNING id

-- name: run_family_put
INSERT INTO run_family (run, step, family, examples) VALUES (:run, :step, :family, :examples)
ON CONFLICT (run, step, family) DO UPDATE SET examples = :examples

-- name: job_find
SELECT id, state FROM job WHERE key = :key

-- name: job_put
INSERT INTO job (key, kind, kind_version, class, step, state, waiting, priority, seed, range_begin, range_end, retries,
                 params, params_text, submitted_ms, owner, cores, memory_mib, labels)
VALUES (:key, :kind, :kind_version, :class, :step, :state, 0, :priority, :seed, :range_begin, :range_end, :retries,
        :params, :params_text, :now, :owner, :cores, :memory_mib, :labels)

-- name: job_need_clear
DELETE FROM job_need WHERE job = :job

-- name: job_need_put
INSERT INTO job_need (job, need, gate) VALUES (:job, :need, :gate) ON CONFLICT DO NOTHING

-- name: job_input_put
INSERT INTO job_input (job, place, name, source, blob, producer, output)
VALUES (:job, :place, :name, :source, nullif(:blob, 0), nullif(:producer, 0), :output)

-- name: job_family_put
INSERT INTO job_family (job, place, family, examples) VALUES (:job, :place, :family, :examples)

-- name: run_job_put
INSERT INTO run_job (run, job, step, live) VALUES (:run, :job, :step, :live)
ON CONFLICT (run, job) DO UPDATE SET live = :live, step = :step

-- A rung's select job's needs are met by any end of theirs, but the decision in front of it must be there.
-- name: job_unmet
SELECT coalesce(sum(CASE WHEN job.kind = 'select' AND job.step GLOB 'halving.*' THEN need.state IN ('WAITING', 'READY')
                         ELSE need.state <> 'DONE' END), 0),
       coalesce(sum((NOT (job.kind = 'select' AND job.step GLOB 'halving.*')
                     OR need.kind = 'select' AND need.step GLOB 'halving.*')
                    AND (need.state = 'DONE' AND need.diverged AND NOT EXISTS (SELECT 1 FROM job_output WHERE job_output.job = need.id)
                         OR need.state IN ('FAILED', 'SKIPPED', 'CANCELLED'))), 0)
FROM job_need JOIN job ON job.id = job_need.job JOIN job AS need ON need.id = job_need.need
WHERE job_need.job = :job AND job_need.gate = 0

-- name: job_restart
UPDATE job SET state = :state, waiting = :waiting, tries = 0, losses = 0, priority = :priority, retries = :retries
WHERE id = :id

-- name: job_own
UPDATE job SET owner = (
    SELECT 4294967296 - (max((experiment.paused = 0) * 1152921504606846976 + (experiment.priority + 2097152) * 4294967296
                             + 4294967296 - experiment.id) & 4294967295)
    FROM run_job AS claim
    JOIN run AS wanting ON wanting.id = claim.run
    JOIN experiment ON experiment.id = wanting.experiment
    WHERE claim.job = job.id AND claim.live = 1)
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

-- Those that a decision took stay: they show what was skipped.
-- name: claims_dropped
DELETE FROM run_job
WHERE live = 0 AND run IN (SELECT id FROM run WHERE revision = :revision)
  AND NOT EXISTS (SELECT 1 FROM gate WHERE gate.run = run_job.run AND gate.job = run_job.job)

-- Ready jobs and leases.

-- name: ready_one
SELECT id, priority, owner, kind, class, step, labels, cores, memory_mib, tries, losses, retries, epoch, kind_version,
       range_end - range_begin, parts + 2 * (needed OR attempt IS NOT NULL), key, seed, params
FROM job WHERE id = :id

-- name: ready_all
SELECT id, priority, owner, kind, class, step, labels, cores, memory_mib, tries, losses, retries, epoch, kind_version,
       range_end - range_begin, parts + 2 * (needed OR attempt IS NOT NULL), key, seed, params
FROM job
WHERE state = 'READY' AND paused = 0 AND owner IS NOT NULL
  AND priority <= :priority AND (priority < :priority OR id > :id)
ORDER BY priority DESC, id LIMIT :max

-- Those of the cursor's priority, then those below: each begins in the index where the page does.
-- name: ready_same
SELECT id, priority, owner, kind, class, step, labels, cores, memory_mib, tries, losses, retries, epoch, kind_version,
       range_end - range_begin, parts + 2 * (needed OR attempt IS NOT NULL), key, seed, params
FROM job
WHERE state = 'READY' AND paused = 0 AND owner = :experiment AND priority = :priority AND id > :id
ORDER BY id LIMIT :max

-- name: ready_below
SELECT id, priority, owner, kind, class, step, labels, cores, memory_mib, tries, losses, retries, epoch, kind_version,
       range_end - range_begin, parts + 2 * (needed OR attempt IS NOT NULL), key, seed, params
FROM job
WHERE state = 'READY' AND paused = 0 AND owner = :experiment AND priority < :priority
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

-- The first question is one look into an index; those that have no READY jobs of their own are few.
-- name: active
SELECT id FROM experiment
WHERE EXISTS (SELECT 1 FROM job WHERE job.owner = experiment.id AND job.state = 'READY' AND job.paused = 0)
   OR EXISTS (SELECT 1 FROM run
              JOIN run_summary ON run_summary.run = run.id AND run_summary.waiting + run_summary.ready > 0
              JOIN run_job ON run_job.run = run.id AND run_job.live = 1
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

-- name: attempts_next
SELECT max((SELECT value FROM meta WHERE name = 'attempt_reserved'),
           coalesce((SELECT max(id) FROM attempt), 0)) + 1

-- name: attempts_reserve
UPDATE meta SET value = :upto WHERE name = 'attempt_reserved' AND value < :upto

-- name: job_epoch
UPDATE job SET epoch = :epoch WHERE id = :id AND epoch < :epoch

-- name: attempt_put
INSERT INTO attempt (id, job, epoch, worker, incarnation, outcome, started_ms)
VALUES (:id, :job, :epoch, nullif(:worker, 0), :incarnation, 'RUNNING', :started)

-- name: attempt_of_epoch
SELECT id FROM attempt WHERE job = :job AND epoch = :epoch

-- name: attempt_get
SELECT attempt.job, coalesce(attempt.worker, 0), attempt.incarnation, attempt.epoch, attempt.outcome,
       job.state, job.epoch, coalesce(job.attempt, 0), job.range_begin, job.range_end,
       coalesce((SELECT family FROM job_family WHERE job_family.job = job.id AND place = 0), 0), job.kind,
       job.needed, job.step, job.class, job.kind_version, coalesce(job.owner, 0), job.diverged
FROM attempt JOIN job ON job.id = attempt.job WHERE attempt.id = :id

-- The job of an attempt that is not written, in the columns of attempt_get.
-- name: attempt_job
SELECT id, 0, 0, 0, '', state, epoch, coalesce(attempt, 0), range_begin, range_end,
       CASE WHEN parts THEN coalesce((SELECT family FROM job_family WHERE job_family.job = job.id AND place = 0), 0)
            ELSE 0 END, kind, needed, step, class, kind_version, coalesce(owner, 0), diverged
FROM job WHERE id = :id

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
SELECT coalesce(attempt.environment, worker.environment, '')
FROM attempt LEFT JOIN worker ON worker.id = attempt.worker WHERE attempt.id = :id

-- name: log_put
INSERT INTO log (attempt, text) VALUES (:attempt, :text) ON CONFLICT (attempt) DO UPDATE SET text = :text

-- name: job_spend
UPDATE job SET tries = tries + :tries, losses = losses + :losses WHERE id = :id

-- name: job_commit
UPDATE job SET state = 'DONE', attempt = :attempt, diverged = :diverged, waiting = 0, epoch = max(epoch, :epoch)
WHERE id = :id

-- Sums of runs that were put off to the commit.
-- name: run_summary_add
UPDATE run_summary
SET jobs = jobs + :jobs, waiting = waiting + :waiting, ready = ready + :ready, done = done + :done,
    failed = failed + :failed, skipped = skipped + :skipped, cancelled = cancelled + :cancelled,
    diverged = diverged + :diverged, wall_ms = wall_ms + :wall_ms,
    first_ms = CASE WHEN :first_ms IS NULL THEN first_ms ELSE min(coalesce(first_ms, :first_ms), :first_ms) END,
    last_ms = CASE WHEN :last_ms IS NULL THEN last_ms ELSE max(coalesce(last_ms, :last_ms), :last_ms) END
WHERE run = :run

-- Estimates.

-- name: shape_get
SELECT results, mean_us FROM shape WHERE id = :id

-- name: shape_put
INSERT INTO shape (id, results, mean_us) VALUES (:id, :results, :mean_us)
ON CONFLICT (id) DO UPDATE SET results = :results, mean_us = :mean_us

-- name: job_output_put
INSERT INTO job_output (job, name, blob) VALUES (:job, :name, :blob) ON CONFLICT (job, name) DO UPDATE SET blob = excluded.blob

-- name: dependents
SELECT job.id, job.state FROM job_need JOIN job ON job.id = job_need.job
WHERE job_need.need = :job AND job_need.gate = 0 AND job.state = 'WAITING'
  AND NOT (job.kind = 'select' AND job.step GLOB 'halving.*') ORDER BY job.id

-- name: job_fall
UPDATE job SET waiting = waiting - 1, state = CASE WHEN waiting = 1 THEN 'READY' ELSE 'WAITING' END
WHERE id = :id AND state = 'WAITING' RETURNING state

-- Not behind select jobs of rungs: they can do without.
-- name: skip_behind
WITH RECURSIVE behind (id) AS (
    SELECT job_need.job FROM job_need JOIN job ON job.id = job_need.job
    WHERE job_need.need = :job AND job_need.gate = 0 AND NOT (job.kind = 'select' AND job.step GLOB 'halving.*')
    UNION
    SELECT job_need.job FROM behind JOIN job_need ON job_need.need = behind.id
    JOIN job ON job.id = job_need.job
    WHERE job_need.gate = 0 AND NOT (job.kind = 'select' AND job.step GLOB 'halving.*')
)
UPDATE job SET state = 'SKIPPED' WHERE id IN (SELECT id FROM behind) AND state IN ('WAITING', 'READY') RETURNING id

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
                   evaluations, layer_rows, layer_rows_whole, base_answer, label_answer, wall_us, digest, hinted)
VALUES (:family, :example, :idx, :attempt, :base_correct, :has_label, :routing, :layers, :label_layers, :simulations,
        :evaluations, :layer_rows, :layer_rows_whole, :base_answer, :label_answer, :wall_us, :digest,
        :hinted)
ON CONFLICT DO NOTHING RETURNING id

-- name: search_log_put
INSERT INTO search_log (label, place, parent, routing, reward, visits, value, answer)
VALUES (:label, :place, :parent, :routing, :reward, :visits, :value, :answer)

-- name: score_put
INSERT INTO score (family, example, idx, attempt, correct, correct_norm, answer, layer_rows, layers, tokens, routing,
                   logprob, wall_us, digest, metrics, pick, gold_class, whole_set, truncated, generated)
VALUES (:family, :example, :idx, :attempt, :correct, :correct_norm, :answer, :layer_rows, :layers, :tokens, :routing,
        :logprob, :wall_us, :digest, :metrics, :pick, :gold_class, :whole_set, :truncated, :generated)

-- Summaries.

-- name: family_complete
SELECT complete, kind FROM family WHERE id = :family

-- name: scores_from
SELECT idx FROM score WHERE family = :family AND idx >= :idx ORDER BY idx

-- name: family_complete_set
UPDATE family SET complete = :complete WHERE id = :family

-- name: summary_known
SELECT EXISTS (SELECT 1 FROM summary WHERE family = :family AND examples = :examples)

-- name: summary_put
INSERT INTO summary (family, examples, metric, value, stderr, stderr_pooled, n, truncated)
VALUES (:family, :examples, :metric, :value, :stderr, :stderr_pooled, :n, :truncated)

-- Reading.

-- name: experiments
SELECT experiment.id, experiment.name, experiment.revision, revision.number, experiment.cancelled,
       experiment.submitted_ms
FROM experiment JOIN revision ON revision.id = experiment.revision
ORDER BY experiment.submitted_ms, experiment.id

-- name: experiment_find
SELECT id FROM experiment WHERE name = :name

-- name: experiment_last
SELECT id FROM experiment ORDER BY submitted_ms DESC, id DESC LIMIT 1

-- name: experiment_names
SELECT name FROM experiment ORDER BY submitted_ms DESC, id DESC LIMIT 10000

-- name: recipe
SELECT revision.recipe FROM experiment JOIN revision ON revision.id = experiment.revision
WHERE experiment.id = :experiment

-- name: runs
SELECT id, seed, superseded,
       coalesce((SELECT group_concat(name || ' = ' || value, ', ')
                 FROM (SELECT name, value FROM param WHERE param.run = run.id ORDER BY name)), '')
FROM run WHERE experiment = :experiment AND superseded <= :superseded ORDER BY id

-- Of shards that are not done, the examples that are stored.

-- name: status_steps
WITH claimed (step, job, live) AS MATERIALIZED (
    SELECT run_job.step, run_job.job, max(run_job.live)
    FROM experiment JOIN run ON run.revision = experiment.revision AND run.superseded = 0
    JOIN run_job ON run_job.run = run.id
    WHERE experiment.id = :experiment
    GROUP BY run_job.step, run_job.job
)
SELECT claimed.step, job.kind, count(*), sum(job.state = 'DONE'), sum(job.state = 'FAILED'),
       sum(job.state = 'CANCELLED'), sum(job.state = 'SKIPPED'), sum(job.state = 'WAITING'), sum(job.state = 'READY'),
       sum(job.diverged), sum(max(job.range_end - job.range_begin, 1)),
       sum(CASE WHEN job.state = 'DONE' THEN max(job.range_end - job.range_begin, 1)
                WHEN job.range_end <= job.range_begin THEN 0
                WHEN job.kind = 'search'
                THEN (SELECT count(*) FROM job_family JOIN label ON label.family = job_family.family
                          AND label.idx >= job.range_begin AND label.idx < job.range_end
                      WHERE job_family.job = job.id AND job_family.place = 0)
                ELSE (SELECT count(*) FROM job_family JOIN score ON score.family = job_family.family
                          AND score.idx >= job.range_begin AND score.idx < job.range_end
                      WHERE job_family.job = job.id AND job_family.place = 0) END),
       sum(coalesce((SELECT sum(coalesce(wall_ms, ended_ms - started_ms)) FROM attempt
                     WHERE attempt.job = job.id AND outcome <> 'RUNNING'), 0)) / 1000.0,
       sum(job.state = 'SKIPPED' AND claimed.live = 0)
FROM claimed JOIN job ON job.id = claimed.job
GROUP BY claimed.step, job.kind ORDER BY min(job.id)

-- name: unfinished
SELECT EXISTS (SELECT 1 FROM experiment
               JOIN run ON run.revision = experiment.revision AND run.superseded = 0
               JOIN run_summary ON run_summary.run = run.id AND run_summary.waiting + run_summary.ready > 0
               WHERE experiment.id = :experiment
                 AND EXISTS (SELECT 1 FROM run_job JOIN job ON job.id = run_job.job
                             WHERE run_job.run = run.id AND run_job.live = 1 AND job.state IN ('WAITING', 'READY')))

-- name: failures
SELECT DISTINCT job.id, run_job.step, attempt.outcome, coalesce(attempt.text, '')
FROM experiment
JOIN run ON run.revision = experiment.revision AND run.superseded = 0
JOIN run_summary ON run_summary.run = run.id AND run_summary.failed > 0
JOIN run_job ON run_job.run = run.id
JOIN job ON job.id = run_job.job AND job.state = 'FAILED'
JOIN attempt ON attempt.job = job.id AND attempt.epoch = job.epoch
WHERE experiment.id = :experiment ORDER BY job.id

-- Tables; their sums are in queries_scale.sql.

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

-- Runs by labels: those beside a router are compared with, and random and shuffled routing only counts their layers.
-- name: step_reads_labels
SELECT EXISTS (SELECT 1 FROM run
               JOIN run_job ON run_job.run = run.id AND run_job.step = :step
               JOIN job_input ON job_input.job = run_job.job AND job_input.name = 'labels'
               JOIN job ON job.id = run_job.job
               WHERE run.experiment = :experiment AND run.superseded = 0
                 AND instr(job.params_text, 'routing = "router"') = 0 AND instr(job.params_text, 'routing = "random"') = 0
                 AND instr(job.params_text, 'routing = "shuffled"') = 0)
