-- SPDX-License-Identifier: Apache-2.0
-- Named statements: results of plain jobs, written together (store/plain.h). Rules as in queries.sql.

-- Nothing hangs of it, and this attempt is newer than all that are stored.
-- name: plain_job
SELECT 1 FROM job
WHERE id = :id AND state = 'READY' AND attempt IS NULL AND parts = 0 AND needed = 0 AND range_end = 0 AND epoch < :epoch
  AND kind <> 'select'

-- name: plain_attempts
INSERT INTO attempt (id, job, epoch, worker, incarnation, outcome, started_ms, ended_ms, wall_ms, cpu_ms, text, environment)
SELECT attempt, job, epoch, worker, incarnation, outcome, started_ms, ended_ms, wall_ms, cpu_ms, text, environment
FROM plain_result

-- name: plain_jobs
UPDATE job SET state = 'DONE', attempt = plain_result.attempt, diverged = plain_result.diverged, waiting = 0,
               epoch = plain_result.epoch
FROM plain_result WHERE job.id = plain_result.job

-- The same where the results are of jobs that lie close together, as they mostly do: without a table in between.
-- name: plain_jobs_between
UPDATE job SET state = 'DONE', attempt = plain_attempt(id), diverged = plain_diverged(id), waiting = 0,
               epoch = plain_epoch(id)
WHERE id BETWEEN :first AND :last AND plain_attempt(id) IS NOT NULL

-- name: plain_runs
SELECT run_job.run, plain_result.rowid FROM plain_result CROSS JOIN run_job ON run_job.job = plain_result.job

-- Likewise; of some jobs there is no result.
-- name: plain_runs_between
SELECT run, job FROM run_job WHERE job BETWEEN :first AND :last

-- name: plain_claims
INSERT INTO run_job (run, job, step, live) SELECT run, job, step, 1 FROM plain_claim
