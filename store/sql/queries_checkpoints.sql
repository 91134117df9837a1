-- SPDX-License-Identifier: Apache-2.0
-- queries_checkpoints.sql - what attempts go on from.

-- name: checkpoint_get
SELECT checkpoint.attempt, attempt.epoch, checkpoint.step, checkpoint.digest, checkpoint.size
FROM checkpoint JOIN attempt ON attempt.id = checkpoint.attempt WHERE checkpoint.job = :job

-- name: checkpoint_put
INSERT INTO checkpoint (job, attempt, step, digest, size, at_ms) VALUES (:job, :attempt, :step, :digest, :size, :now)
ON CONFLICT (job) DO UPDATE SET attempt = :attempt, step = :step, digest = :digest, size = :size, at_ms = :now

-- name: checkpoint_series
SELECT id, name, n FROM series WHERE attempt = :attempt AND first_step <= :step ORDER BY name

-- name: attempt_from
UPDATE attempt SET from_step = :step WHERE id = :id

-- name: checkpoint_gone
SELECT gone.id, gone.digest,
       EXISTS (SELECT 1 FROM blob WHERE blob.digest = gone.digest AND blob.evicted = 0)
       OR EXISTS (SELECT 1 FROM checkpoint WHERE checkpoint.digest = gone.digest)
FROM checkpoint_gone AS gone WHERE gone.id > :id ORDER BY gone.id

-- name: checkpoint_forget
DELETE FROM checkpoint_gone WHERE id <= :id

-- name: checkpoint_named
SELECT EXISTS (SELECT 1 FROM checkpoint WHERE digest = :digest)

-- name: checkpoints_failed
DELETE FROM checkpoint WHERE (SELECT state FROM job WHERE job.id = checkpoint.job) = 'FAILED'

-- name: checkpoints_failed_size
SELECT count(*), coalesce(sum(checkpoint.size), 0)
FROM checkpoint CROSS JOIN job ON job.id = checkpoint.job WHERE job.state = 'FAILED'
