-- SPDX-License-Identifier: Apache-2.0
-- Named statements: pausing, priorities. Rules as in queries.sql.

-- name: control_paused
UPDATE experiment SET paused = :paused WHERE id = :experiment

-- name: control_priority
UPDATE experiment SET priority = :priority WHERE id = :experiment

-- name: control_get
SELECT name, paused, priority, cancelled FROM experiment WHERE id = :experiment

-- Is anything paused or of another priority than 0? Else there is nothing to follow.

-- name: control_any
SELECT EXISTS (SELECT 1 FROM experiment WHERE paused = 1 OR priority <> 0)
    OR EXISTS (SELECT 1 FROM job WHERE paused = 1)

-- The owner is the last 32 bits of the greatest of (not paused, priority, minus its number).
-- name: control_refresh
WITH want (id, paused, priority, owner) AS (
    SELECT claim.job, min(experiment.paused),
           coalesce(max(CASE WHEN experiment.paused = 0 THEN experiment.priority END), max(experiment.priority)),
           4294967296 - (max((experiment.paused = 0) * 1152921504606846976 + (experiment.priority + 2097152) * 4294967296
                             + 4294967296 - experiment.id) & 4294967295)
    FROM (SELECT DISTINCT run_job.job AS job FROM run JOIN run_job ON run_job.run = run.id
          WHERE run.experiment = :experiment) AS touched
    JOIN run_job AS claim ON claim.job = touched.job AND claim.live = 1
    JOIN run AS wanting ON wanting.id = claim.run
    JOIN experiment ON experiment.id = wanting.experiment
    GROUP BY claim.job
)
UPDATE job SET paused = want.paused, priority = want.priority, owner = want.owner FROM want
WHERE job.id = want.id AND (job.paused <> want.paused OR job.priority <> want.priority OR job.owner IS NOT want.owner)
  AND (job.state <> 'DONE' OR want.paused = 0 AND (job.paused <> want.paused OR job.priority <> want.priority))
RETURNING id, priority, paused, state, owner

-- Where nothing is paused and all priorities are 0: what the experiment no longer wants, another one may.
-- name: control_hand_over
WITH want (id, owner) AS (
    SELECT claim.job, min(wanting.experiment)
    FROM (SELECT DISTINCT run_job.job AS job FROM run
          JOIN run_job ON run_job.run = run.id AND run_job.live = 0
          JOIN job ON job.id = run_job.job AND job.owner = :experiment AND job.state IN ('WAITING', 'READY')
          WHERE run.experiment = :experiment) AS touched
    JOIN run_job AS claim ON claim.job = touched.job AND claim.live = 1
    JOIN run AS wanting ON wanting.id = claim.run
    GROUP BY claim.job
)
UPDATE job SET owner = want.owner FROM want WHERE job.id = want.id AND job.owner IS NOT want.owner
RETURNING id, priority, paused, state, owner

-- name: control_refresh_job
WITH want (id, paused, priority, owner) AS (
    SELECT claim.job, min(experiment.paused),
           coalesce(max(CASE WHEN experiment.paused = 0 THEN experiment.priority END), max(experiment.priority)),
           4294967296 - (max((experiment.paused = 0) * 1152921504606846976 + (experiment.priority + 2097152) * 4294967296
                             + 4294967296 - experiment.id) & 4294967295)
    FROM run_job AS claim
    JOIN run AS wanting ON wanting.id = claim.run
    JOIN experiment ON experiment.id = wanting.experiment
    WHERE claim.job = :job AND claim.live = 1
    GROUP BY claim.job
)
UPDATE job SET paused = want.paused, priority = want.priority, owner = want.owner FROM want WHERE job.id = want.id

-- name: control_count
SELECT count(DISTINCT job.id) FROM run
JOIN run_job ON run_job.run = run.id AND run_job.live = 1
JOIN job ON job.id = run_job.job AND job.state IN ('WAITING', 'READY') AND job.paused = :paused
WHERE run.experiment = :experiment

-- name: control_job
SELECT job.state, job.priority, job.paused, job.retries, job.key, job.step, job.kind, job.tries, job.losses,
       EXISTS (SELECT 1 FROM run_job AS claim WHERE claim.job = job.id AND claim.live = 1), coalesce(job.owner, 0)
FROM job WHERE job.id = :job

-- name: control_job_keys
SELECT id, key, step FROM job WHERE key >= :low AND key <= :high ORDER BY key LIMIT :max

-- Another try. An experiment that was cancelled wants its jobs again; what halving sorted out it does not.

-- name: control_revive
UPDATE run_job SET live = 1
WHERE run IN (SELECT id FROM run WHERE experiment = :experiment AND superseded = 0) AND live = 0
  AND NOT EXISTS (SELECT 1 FROM gate JOIN candidate ON candidate.selector = gate.selector AND candidate.run = gate.run
                  WHERE gate.run = run_job.run AND gate.job = run_job.job AND candidate.chosen = 0)

-- name: control_not_cancelled
UPDATE experiment SET cancelled = 0 WHERE id = :experiment

-- name: control_ended
SELECT DISTINCT job.id FROM run
JOIN run_job ON run_job.run = run.id AND run_job.live = 1 AND (:step IS NULL OR run_job.step = :step)
JOIN job ON job.id = run_job.job AND job.state IN ('FAILED', 'CANCELLED', 'SKIPPED')
WHERE run.experiment = :experiment AND run.superseded = 0 ORDER BY job.id

-- name: control_steps
SELECT DISTINCT run_job.step FROM run JOIN run_job ON run_job.run = run.id
WHERE run.experiment = :experiment AND run.superseded = 0 ORDER BY run_job.step LIMIT 1000

-- name: control_needs_ended
SELECT job.id FROM job_need JOIN job ON job.id = job_need.need
WHERE job_need.job = :job AND job.state IN ('FAILED', 'CANCELLED', 'SKIPPED')
  AND EXISTS (SELECT 1 FROM run_job AS claim WHERE claim.job = job.id AND claim.live = 1)

-- name: control_behind
SELECT job.id FROM job_need JOIN job ON job.id = job_need.job
WHERE job_need.need = :job AND job.state = 'SKIPPED'
  AND EXISTS (SELECT 1 FROM run_job AS claim WHERE claim.job = job.id AND claim.live = 1)

-- Those for which a failed need is as good as a done one (select) wait for it again.

-- name: control_waiting_behind
SELECT job.id FROM job_need JOIN job ON job.id = job_need.job
WHERE job_need.need = :job AND job.state = 'WAITING'

-- Why a job does not run.

-- name: why_claims
SELECT DISTINCT experiment.name, experiment.paused, experiment.cancelled, run_job.live
FROM run_job JOIN run ON run.id = run_job.run JOIN experiment ON experiment.id = run.experiment
WHERE run_job.job = :job ORDER BY experiment.name LIMIT 100

-- name: why_needs
SELECT need.id, need.step, need.kind, need.state, need.diverged
FROM job_need JOIN job AS need ON need.id = job_need.need
WHERE job_need.job = :job 
  AND (need.state <> 'DONE' OR need.diverged = 1 AND NOT EXISTS (SELECT 1 FROM job_output WHERE job_output.job = need.id))
ORDER BY need.id LIMIT 1000

-- name: why_attempt
SELECT id, outcome, coalesce(text, ''), coalesce(wall_ms, ended_ms - started_ms) FROM attempt
WHERE job = :job AND outcome <> 'RUNNING' ORDER BY epoch DESC LIMIT 1

-- name: why_states
SELECT job.state, job.paused, run_job.live, count(DISTINCT job.id), min(job.id)
FROM run JOIN run_job ON run_job.run = run.id JOIN job ON job.id = run_job.job
WHERE run.experiment = :experiment AND run.superseded = 0
GROUP BY job.state, job.paused, run_job.live ORDER BY job.state

-- name: why_waits_for
SELECT need.id, need.step, need.state, count(DISTINCT job.id) AS jobs
FROM run JOIN run_job ON run_job.run = run.id AND run_job.live = 1
JOIN job ON job.id = run_job.job AND job.state = 'WAITING'
JOIN job_need ON job_need.job = job.id
JOIN job AS need ON need.id = job_need.need AND need.state NOT IN ('DONE', 'WAITING')
WHERE run.experiment = :experiment AND run.superseded = 0
GROUP BY need.id ORDER BY jobs DESC, need.id LIMIT 5

-- name: why_ready
SELECT DISTINCT job.id FROM run JOIN run_job ON run_job.run = run.id AND run_job.live = 1
JOIN job ON job.id = run_job.job AND job.state = 'READY' AND job.paused = 0
WHERE run.experiment = :experiment ORDER BY job.id LIMIT :max

-- The steps under which experiments want a job: who runs what, for people.

-- name: control_claims
SELECT run.experiment, min(run_job.step), min(CASE WHEN run.superseded = 0 THEN run.id END), sum(run.superseded = 0),
       job.kind, job.params_text
FROM run_job JOIN run ON run.id = run_job.run JOIN job ON job.id = run_job.job
WHERE run_job.job = :job GROUP BY run.experiment ORDER BY run.experiment LIMIT 64
