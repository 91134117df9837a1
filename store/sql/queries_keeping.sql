-- SPDX-License-Identifier: Apache-2.0
-- Named statements: pins, replay verdicts, naming things. Rules as in queries.sql.

-- name: pin_put
INSERT INTO pin (experiment, run, job, at_ms)
VALUES (nullif(:experiment, 0), nullif(:run, 0), nullif(:job, 0), :now) ON CONFLICT DO NOTHING

-- name: pin_drop_experiment
DELETE FROM pin WHERE experiment = :id

-- name: pin_drop_run
DELETE FROM pin WHERE run = :id

-- name: pin_drop_job
DELETE FROM pin WHERE job = :id

-- name: pins
SELECT coalesce(experiment, 0), coalesce(run, 0), coalesce(job, 0), at_ms FROM pin ORDER BY id

-- name: run_exists
SELECT EXISTS (SELECT 1 FROM run WHERE id = :id)

-- name: job_head
SELECT key, kind, step, class, state, diverged, coalesce(attempt, 0), range_begin, range_end,
       coalesce((SELECT family FROM job_family WHERE job_family.job = job.id AND place = 0), 0)
FROM job WHERE id = :id

-- name: jobs_by_key
SELECT id FROM job WHERE key >= :low AND key <= :high ORDER BY key LIMIT 2

-- name: output_restored
UPDATE blob SET evicted = 0 WHERE evicted = 1 AND id IN (SELECT blob FROM job_output WHERE job = :job)

-- name: replay_put
INSERT INTO replay (job, at_ms, verdict, text, environment) VALUES (:job, :now, :verdict, :text, :environment)

-- name: replay_jobs_of_run
SELECT DISTINCT job.id, job.key FROM run_job JOIN job ON job.id = run_job.job
WHERE run_job.run = :run AND job.state = 'DONE' AND job.attempt IS NOT NULL ORDER BY job.id

-- name: replay_jobs_of_experiment
SELECT DISTINCT job.id, job.key FROM run JOIN run_job ON run_job.run = run.id JOIN job ON job.id = run_job.job
WHERE run.experiment = :experiment AND run.superseded = 0 AND job.state = 'DONE' AND job.attempt IS NOT NULL
ORDER BY job.id

-- name: replay_digests_labels
SELECT label.idx, label.digest, example.number,
       json_array(base_correct, has_label, routing, label_layers, base_answer, label_answer) FROM label JOIN example ON example.id = label.example
WHERE label.family = :family AND label.idx >= :range_begin AND label.idx < :range_end ORDER BY label.idx

-- name: replay_digests_scores
SELECT score.idx, score.digest, example.number,
       json_array(correct, correct_norm, answer, layers, tokens, routing, logprob, metrics) FROM score JOIN example ON example.id = score.example
WHERE score.family = :family AND score.idx >= :range_begin AND score.idx < :range_end ORDER BY score.idx

-- name: replay_candidates
SELECT DISTINCT digest FROM candidate WHERE selector = :job ORDER BY digest
