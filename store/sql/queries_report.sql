-- SPDX-License-Identifier: Apache-2.0
-- Named statements: what reports read. Rules as in queries.sql. Column names are those of the JSON answers.

-- What is there to ask.

-- name: report_names
SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name

-- name: report_columns
SELECT name, type FROM pragma_table_info(:name) ORDER BY cid

-- Who is meant.

-- name: report_run_there
SELECT id FROM run WHERE id = :id

-- name: report_run_last
SELECT coalesce(max(id), 0) FROM run

-- name: report_job_there
SELECT id FROM job WHERE id = :id

-- name: report_job_last
SELECT coalesce(max(id), 0) FROM job

-- name: report_job_by_key
SELECT id, lower(hex(key)) FROM job WHERE key >= :first AND key <= :last ORDER BY key LIMIT 5

-- One run.

-- name: report_run
SELECT run.id AS run, experiment.name AS experiment, run.seed AS seed, run.superseded AS superseded,
       lower(hex(run.digest)) AS point, revision.number AS revision, lower(hex(revision.digest)) AS revision_digest,
       revision.path AS recipe, revision.git AS git, revision.submitted_ms AS submitted_ms
FROM run JOIN experiment ON experiment.id = run.experiment JOIN revision ON revision.id = run.revision
WHERE run.id = :run

-- name: report_run_params
SELECT name, value FROM param WHERE run = :run ORDER BY name

-- name: report_run_steps
SELECT run_job.step AS step, job.kind AS kind, count(*) AS jobs, sum(job.state = 'DONE') AS done,
       sum(job.state = 'FAILED') AS failed, sum(job.state = 'CANCELLED') AS cancelled,
       sum(job.state = 'SKIPPED') AS skipped, sum(job.state = 'WAITING') AS waiting, sum(job.state = 'READY') AS ready,
       sum(job.diverged) AS diverged, sum(attempt.wall_ms) / 1000.0 AS seconds,
       min(attempt.started_ms) AS started_ms, max(attempt.ended_ms) AS ended_ms
FROM run_job JOIN job ON job.id = run_job.job LEFT JOIN attempt ON attempt.id = job.attempt
WHERE run_job.run = :run GROUP BY run_job.step, job.kind ORDER BY min(job.id)

-- name: report_run_jobs
SELECT job.id AS job, run_job.step AS step, job.kind AS kind, lower(hex(job.key)) AS key, job.state AS state,
       job.diverged AS diverged, job.class AS class, job.range_begin AS range_begin, job.range_end AS range_end,
       job.epoch AS attempts, attempt.id AS attempt, attempt.wall_ms / 1000.0 AS seconds, worker.name AS worker,
       run_job.live AS live,
       (SELECT count(*) FROM run_job AS claim WHERE claim.job = job.id AND claim.live = 1) AS runs
FROM run_job JOIN job ON job.id = run_job.job LEFT JOIN attempt ON attempt.id = job.attempt
LEFT JOIN worker ON worker.id = attempt.worker
WHERE run_job.run = :run ORDER BY job.id LIMIT :max

-- name: report_run_scores
SELECT run_family.step AS step, 'score' AS method, family.task AS task, family.level AS level, family.split AS split,
       run_family.examples AS examples, count(score.id) AS n, avg(score.correct) AS accuracy,
       avg(score.correct_norm) AS accuracy_norm, avg(score.layers) AS layers, sum(score.tokens) AS tokens,
       lower(hex(family.key)) AS family
FROM run_family JOIN family ON family.id = run_family.family AND family.kind <> 'search'
LEFT JOIN score ON score.family = run_family.family AND score.idx < run_family.examples
WHERE run_family.run = :run GROUP BY run_family.step, family.id
ORDER BY run_family.step, family.task, family.level, family.split

-- name: report_run_labels
SELECT run_family.step AS step, 'search' AS method, family.task AS task, family.level AS level, family.split AS split,
       run_family.examples AS examples, count(label.id) AS n, avg(label.base_correct) AS base,
       avg(label.has_label) AS oracle, avg(label.label_layers) AS layers, lower(hex(family.key)) AS family
FROM run_family JOIN family ON family.id = run_family.family AND family.kind = 'search'
LEFT JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
WHERE run_family.run = :run GROUP BY run_family.step, family.id
ORDER BY run_family.step, family.task, family.level, family.split

-- name: report_run_summaries
SELECT run_family.step AS step, family.task AS task, family.level AS level, family.split AS split,
       summary.metric AS metric, summary.value AS value, summary.stderr AS stderr, summary.n AS n
FROM run_family JOIN family ON family.id = run_family.family
JOIN summary ON summary.family = run_family.family AND summary.examples = run_family.examples
WHERE run_family.run = :run ORDER BY run_family.step, family.task, family.level, family.split, summary.id

-- name: report_run_environments
SELECT coalesce(attempt.environment, worker.environment) AS environment, job.class AS class, count(*) AS jobs,
       min(job.id) AS first_job
FROM run_job JOIN job ON job.id = run_job.job JOIN attempt ON attempt.id = job.attempt
LEFT JOIN worker ON worker.id = attempt.worker
WHERE run_job.run = :run GROUP BY 1, job.class ORDER BY count(*) DESC

-- name: report_run_inputs
SELECT DISTINCT run_job.step AS step, job_input.name AS name, blob.path AS path, lower(hex(blob.digest)) AS digest,
       blob.size AS size, blob.folder AS folder
FROM run_job JOIN job_input ON job_input.job = run_job.job AND job_input.source = 'BLOB'
JOIN blob ON blob.id = job_input.blob
WHERE run_job.run = :run ORDER BY run_job.step, job_input.name, blob.path

-- name: report_run_outputs
SELECT run_job.step AS step, job_output.job AS job, job_output.name AS name, lower(hex(blob.digest)) AS digest,
       blob.size AS size, blob.evicted AS evicted
FROM run_job JOIN job_output ON job_output.job = run_job.job JOIN blob ON blob.id = job_output.blob
WHERE run_job.run = :run ORDER BY job_output.job, job_output.name

-- name: report_run_failures
SELECT run_job.step AS step, attempt.job AS job, attempt.epoch AS epoch, attempt.outcome AS outcome, attempt.text AS text,
       worker.name AS worker, attempt.ended_ms AS ended_ms
FROM run_job JOIN attempt ON attempt.job = run_job.job AND attempt.outcome NOT IN ('DONE', 'RUNNING')
LEFT JOIN worker ON worker.id = attempt.worker
WHERE run_job.run = :run ORDER BY attempt.id DESC LIMIT 50

-- One job.

-- name: report_job
SELECT id AS job, lower(hex(key)) AS key, kind, kind_version, class, step, state, diverged, priority, seed, range_begin,
       range_end, retries, tries, losses, epoch AS attempts, attempt, params_text AS params, submitted_ms,
       (SELECT count(*) FROM run_job WHERE run_job.job = job.id AND live = 1) AS live_claims
FROM job WHERE id = :job

-- name: report_job_attempts
SELECT attempt.id AS attempt, attempt.epoch AS epoch, attempt.outcome AS outcome, attempt.id = job.attempt AS effective,
       attempt.started_ms AS started_ms, attempt.ended_ms AS ended_ms, attempt.wall_ms / 1000.0 AS seconds,
       attempt.cpu_ms / 1000.0 AS cpu_seconds, attempt.text AS text,
       coalesce(attempt.environment, worker.environment) AS environment,
       attempt.compared AS compared, attempt.repeats AS repeats, attempt.incarnation AS incarnation,
       worker.name AS worker, worker.host AS host, worker.pid AS pid, worker.version AS version,
       worker.classes AS classes, worker.slots AS slots, worker.threads AS threads, worker.gone AS gone,
       (SELECT length(log.text) FROM log WHERE log.attempt = attempt.id) AS log_bytes
FROM attempt JOIN job ON job.id = attempt.job LEFT JOIN worker ON worker.id = attempt.worker
WHERE attempt.job = :job ORDER BY attempt.epoch DESC

-- name: report_job_inputs
SELECT job_input.name AS name, job_input.source AS source, job_input.producer AS producer, job_input.output AS output,
       lower(hex(coalesce(own.digest, made.digest))) AS digest, coalesce(own.size, made.size) AS size,
       own.path AS path, coalesce(own.evicted, made.evicted) AS evicted
FROM job_input LEFT JOIN blob AS own ON own.id = job_input.blob
LEFT JOIN job_output ON job_output.job = job_input.producer AND job_output.name = job_input.output
LEFT JOIN blob AS made ON made.id = job_output.blob
WHERE job_input.job = :job ORDER BY job_input.place

-- name: report_job_outputs
SELECT job_output.name AS name, lower(hex(blob.digest)) AS digest, blob.size AS size, blob.folder AS folder,
       blob.evicted AS evicted
FROM job_output JOIN blob ON blob.id = job_output.blob WHERE job_output.job = :job ORDER BY job_output.name

-- name: report_job_needs
SELECT need.id AS job, need.step AS step, need.kind AS kind, need.state AS state
FROM job_need JOIN job AS need ON need.id = job_need.need WHERE job_need.job = :job ORDER BY need.id LIMIT :max

-- name: report_job_runs
SELECT run_job.run AS run, run_job.step AS step, run_job.live AS live, run.seed AS seed, experiment.name AS experiment
FROM run_job JOIN run ON run.id = run_job.run JOIN experiment ON experiment.id = run.experiment
WHERE run_job.job = :job ORDER BY run_job.live DESC, run_job.run LIMIT :max

-- name: report_job_families
SELECT family.task AS task, family.level AS level, family.split AS split, family.kind AS kind,
       job_family.examples AS examples, lower(hex(family.key)) AS key,
       CASE family.kind WHEN 'search'
            THEN (SELECT count(*) FROM label WHERE label.family = family.id
                  AND (job.range_end = 0 OR label.idx >= job.range_begin AND label.idx < job.range_end))
            ELSE (SELECT count(*) FROM score WHERE score.family = family.id
                  AND (job.range_end = 0 OR score.idx >= job.range_begin AND score.idx < job.range_end)) END AS stored
FROM job_family JOIN family ON family.id = job_family.family JOIN job ON job.id = job_family.job
WHERE job_family.job = :job ORDER BY job_family.place

-- Logs.

-- name: report_job_logs
SELECT attempt.job AS job, job.step AS step, job.kind AS kind, attempt.id AS attempt, attempt.epoch AS epoch,
       attempt.outcome AS outcome, attempt.text AS text, attempt.started_ms AS started_ms, attempt.ended_ms AS ended_ms,
       worker.name AS worker, worker.host AS host, worker.gone AS gone, log.text AS log
FROM attempt JOIN job ON job.id = attempt.job LEFT JOIN worker ON worker.id = attempt.worker
LEFT JOIN log ON log.attempt = attempt.id
WHERE attempt.job = :job AND (:epoch = 0 OR attempt.epoch = :epoch) ORDER BY attempt.id DESC LIMIT :max

-- name: report_run_logs
SELECT attempt.job AS job, run_job.step AS step, job.kind AS kind, attempt.id AS attempt, attempt.epoch AS epoch,
       attempt.outcome AS outcome, attempt.text AS text, attempt.started_ms AS started_ms, attempt.ended_ms AS ended_ms,
       worker.name AS worker, worker.host AS host, worker.gone AS gone, log.text AS log
FROM run_job JOIN job ON job.id = run_job.job JOIN attempt ON attempt.job = run_job.job
LEFT JOIN worker ON worker.id = attempt.worker LEFT JOIN log ON log.attempt = attempt.id
WHERE run_job.run = :run AND (:epoch = 0 OR attempt.epoch = :epoch) ORDER BY attempt.id DESC LIMIT :max

-- Two runs: the jobs of one, for comparing.

-- name: report_diff_jobs
SELECT job.id, run_job.step, job.kind, job.kind_version, job.class, job.seed, job.range_begin, job.range_end,
       job.params_text, job.state, job.diverged,
       coalesce((SELECT family.task || '/' || family.level || '/' || family.split FROM job_family
                 JOIN family ON family.id = job_family.family WHERE job_family.job = job.id AND place = 0), '')
FROM run_job JOIN job ON job.id = run_job.job WHERE run_job.run = :run ORDER BY job.id

-- name: report_diff_inputs
SELECT job_input.name, CASE job_input.source WHEN 'BLOB' THEN lower(hex(blob.digest))
                            WHEN 'OUTPUT' THEN 'j' || job_input.producer || '.' || job_input.output
                            ELSE 'results' END
FROM job_input LEFT JOIN blob ON blob.id = job_input.blob WHERE job_input.job = :job ORDER BY job_input.place

-- Runs.

-- name: report_experiment
SELECT experiment.name AS experiment, revision.number AS revision,
       CASE WHEN :superseded THEN (SELECT count(*) FROM run_summary WHERE run_summary.experiment = experiment.id)
            ELSE (SELECT count(*) FROM run WHERE run.revision = experiment.revision) END AS runs
FROM experiment LEFT JOIN revision ON revision.id = experiment.revision WHERE experiment.id = :experiment

-- The latest runs have mostly all of them.

-- name: report_param_some
SELECT DISTINCT param.name
FROM (SELECT run FROM run_summary WHERE run_summary.experiment = :experiment ORDER BY run DESC LIMIT 200) AS some
JOIN param ON param.run = some.run ORDER BY param.name

-- name: report_param_names
SELECT DISTINCT param.name FROM run JOIN param ON param.run = run.id WHERE run.experiment = :experiment
ORDER BY param.name

-- What a run measured: one row per number.

-- name: report_run_numbers
SELECT run_family.step AS step, family.task AS task, family.level AS level, family.split AS split, 'accuracy' AS metric,
       avg(score.correct) AS value, count(*) AS n
FROM run_family JOIN family ON family.id = run_family.family AND family.kind <> 'search'
JOIN score ON score.family = run_family.family AND score.idx < run_family.examples
WHERE run_family.run = :run GROUP BY run_family.step, family.id
UNION ALL
SELECT run_family.step, family.task, family.level, family.split, 'layers', avg(score.layers), count(*)
FROM run_family JOIN family ON family.id = run_family.family AND family.kind <> 'search'
JOIN score ON score.family = run_family.family AND score.idx < run_family.examples
WHERE run_family.run = :run GROUP BY run_family.step, family.id
UNION ALL
SELECT run_family.step, family.task, family.level, family.split, 'base', avg(label.base_correct), count(*)
FROM run_family JOIN family ON family.id = run_family.family AND family.kind = 'search'
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
WHERE run_family.run = :run GROUP BY run_family.step, family.id
UNION ALL
SELECT run_family.step, family.task, family.level, family.split, 'oracle', avg(label.has_label), count(*)
FROM run_family JOIN family ON family.id = run_family.family AND family.kind = 'search'
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
WHERE run_family.run = :run GROUP BY run_family.step, family.id
UNION ALL
SELECT run_family.step, family.task, family.level, family.split, 'label layers', avg(label.label_layers), count(*)
FROM run_family JOIN family ON family.id = run_family.family AND family.kind = 'search'
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
WHERE run_family.run = :run GROUP BY run_family.step, family.id
UNION ALL
SELECT run_family.step, family.task, family.level, family.split, summary.metric, summary.value, summary.n
FROM run_family JOIN family ON family.id = run_family.family
JOIN summary ON summary.family = run_family.family AND summary.examples = run_family.examples AND summary.metric <> 'acc'
WHERE run_family.run = :run
UNION ALL
SELECT run_job.step, '', 0, '', series.name, series.last, series.n
FROM run_job JOIN job ON job.id = run_job.job JOIN series ON series.attempt = job.attempt
WHERE run_job.run = :run
ORDER BY 1, 2, 3, 4, 5

-- name: report_run_training
SELECT run_job.step AS step, job.id AS job, series.name AS metric, series.n AS n, series.last_step AS last_step,
       series.last AS last, series.min AS min, series.max AS max
FROM run_job JOIN job ON job.id = run_job.job JOIN series ON series.attempt = job.attempt
WHERE run_job.run = :run ORDER BY job.id, series.name

-- name: report_diff_environments
SELECT job.class, coalesce(attempt.environment, worker.environment, ''), count(*)
FROM run_job JOIN job ON job.id = run_job.job JOIN attempt ON attempt.id = job.attempt
LEFT JOIN worker ON worker.id = attempt.worker
WHERE run_job.run = :run GROUP BY 1, 2

-- What a plan finds.

-- name: report_plan_family
SELECT id, kind FROM family WHERE key = :key

-- name: report_plan_labels
SELECT count(*) FROM label WHERE family = :family

-- name: report_plan_scores
SELECT count(*) FROM score WHERE family = :family

-- Only the last attempts: they tell most, and a store of a million of them answers at once.

-- name: report_plan_times
SELECT attempt.wall_ms, max(job.range_end - job.range_begin, 1), job.params_text,
       (SELECT sum(blob.size) FROM job_output JOIN blob ON blob.id = job_output.blob WHERE job_output.job = job.id)
FROM attempt JOIN job ON job.id = attempt.job AND job.attempt = attempt.id
WHERE attempt.id > (SELECT coalesce(max(id), 0) - 100000 FROM attempt) AND attempt.outcome = 'DONE'
  AND attempt.wall_ms IS NOT NULL AND job.kind = :kind AND job.class = :class
ORDER BY attempt.id DESC LIMIT 1000

-- Status.

-- name: report_experiments
SELECT experiment.id, experiment.name, revision.number, experiment.cancelled, experiment.paused, experiment.priority,
       experiment.submitted_ms
FROM experiment JOIN revision ON revision.id = experiment.revision
WHERE :experiment = 0 OR experiment.id = :experiment
ORDER BY experiment.submitted_ms DESC, experiment.id DESC LIMIT :max

-- By the index of ready jobs, a row each: a second for a million.
-- name: report_demand
SELECT class, labels, cores, memory_mib, count(*) AS jobs
FROM job
WHERE state = 'READY' AND paused = 0 AND owner IS NOT NULL
GROUP BY class, labels, cores, memory_mib
ORDER BY jobs DESC, class, labels, cores, memory_mib LIMIT :max
