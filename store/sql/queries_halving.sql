-- SPDX-License-Identifier: Apache-2.0
-- Named statements: halving: gates and candidates. Rules as in queries.sql.

-- Submitting.

-- name: revision_git
UPDATE revision SET git = :git WHERE id = :revision

-- name: run_clear_gates
DELETE FROM gate WHERE run = :run

-- name: gate_put
INSERT INTO gate (run, job, selector) VALUES (:run, :job, :selector) ON CONFLICT DO NOTHING

-- name: candidate_known
SELECT EXISTS (SELECT 1 FROM candidate WHERE selector = :selector AND run = :run)

-- name: candidate_put
INSERT INTO candidate (selector, run, digest) VALUES (:selector, :run, :digest)
ON CONFLICT (selector, run) DO UPDATE SET digest = :digest

-- name: candidates_reopen
UPDATE candidate SET chosen = NULL WHERE selector = :selector

-- name: candidates_copy
UPDATE candidate SET chosen = (SELECT max(other.chosen) FROM candidate AS other
                               WHERE other.selector = candidate.selector AND other.digest = candidate.digest)
WHERE selector = :selector AND chosen IS NULL

-- name: candidates_open
SELECT count(*) FROM candidate WHERE selector = :selector AND chosen IS NULL

-- name: claim_shut
SELECT EXISTS (SELECT 1 FROM gate JOIN candidate ON candidate.selector = gate.selector AND candidate.run = gate.run
               WHERE gate.run = :run AND gate.job = :job AND candidate.chosen = 0)

-- Deciding.

-- name: candidates_refuse
UPDATE candidate SET chosen = 0 WHERE selector = :selector

-- name: candidates_choose
UPDATE candidate SET chosen = 1 WHERE selector = :selector AND digest = :digest

-- name: claims_shut
UPDATE run_job SET live = 0
WHERE live = 1 AND (run, job) IN (
    SELECT gate.run, gate.job FROM candidate JOIN gate ON gate.selector = candidate.selector AND gate.run = candidate.run
    WHERE candidate.selector = :selector AND candidate.chosen = 0)

-- A run does without the steps behind a rung that it did not survive: nothing of them is its own, whoever ran them.
-- name: families_shut
DELETE FROM run_family
WHERE (run, step) IN (
    SELECT gate.run, run_job.step FROM candidate
    JOIN gate ON gate.selector = candidate.selector AND gate.run = candidate.run
    JOIN run_job ON run_job.run = gate.run AND run_job.job = gate.job
    WHERE candidate.selector = :selector AND candidate.chosen = 0)

-- name: family_shut
DELETE FROM run_family WHERE run = :run AND step = :step

-- name: gated_jobs
SELECT DISTINCT job.id, job.state FROM gate JOIN job ON job.id = gate.job
WHERE gate.selector = :selector AND job.state IN ('WAITING', 'READY', 'SKIPPED') ORDER BY job.id

-- name: job_gated
SELECT EXISTS (SELECT 1 FROM gate WHERE job = :job)

-- Of the claims of a job: those that hold, those that wait for a decision, live ones that wait for a select job that failed, and
-- those that a decision took.
-- name: job_claims
SELECT coalesce(sum(live AND NOT shut), 0), coalesce(sum(live AND shut AND NOT stuck), 0),
       coalesce(sum(live AND stuck), 0), coalesce(sum(refused), 0)
FROM (SELECT run_job.live AS live,
             EXISTS (SELECT 1 FROM gate
                     JOIN candidate ON candidate.selector = gate.selector AND candidate.run = gate.run
                     WHERE gate.run = run_job.run AND gate.job = run_job.job
                       AND candidate.chosen IS NOT 1) AS shut,
             EXISTS (SELECT 1 FROM gate
                     JOIN candidate ON candidate.selector = gate.selector AND candidate.run = gate.run
                     JOIN job ON job.id = gate.selector
                     WHERE gate.run = run_job.run AND gate.job = run_job.job AND candidate.chosen IS NULL
                       AND job.state NOT IN ('WAITING', 'READY')) AS stuck,
             EXISTS (SELECT 1 FROM gate
                     JOIN candidate ON candidate.selector = gate.selector AND candidate.run = gate.run
                     WHERE gate.run = run_job.run AND gate.job = run_job.job AND candidate.chosen = 0) AS refused
      FROM run_job WHERE run_job.job = :job)

-- name: job_wait
UPDATE job SET state = :state, waiting = :waiting WHERE id = :id

-- Gated jobs of an experiment that are not over.
-- name: jobs_gated
SELECT DISTINCT job.id, job.state FROM run JOIN run_job ON run_job.run = run.id
JOIN gate ON gate.job = run_job.job
JOIN job ON job.id = run_job.job
WHERE run.experiment = :experiment AND job.state IN ('WAITING', 'READY') ORDER BY job.id

-- Selecting: needs are met by any end. A rung's select job has the planner's step halving.K; other select jobs are as any job.

-- name: select_dependents
SELECT job.id FROM job_need JOIN job ON job.id = job_need.job
WHERE job_need.need = :job AND job_need.gate = 0 AND job.kind = 'select' AND job.step GLOB 'halving.*'
  AND job.state = 'WAITING' ORDER BY job.id

-- name: select_fall
UPDATE job SET waiting = waiting - 1 WHERE id = :id AND state = 'WAITING' RETURNING waiting

-- What candidates reached.

-- Runs of one experiment only: another one that has the same select job has the same candidates.
-- name: candidates
SELECT candidate.digest, candidate.run
FROM candidate
JOIN run ON run.id = candidate.run
JOIN run_job ON run_job.run = candidate.run AND run_job.job = candidate.selector AND run_job.live = 1
WHERE candidate.selector = :selector
  AND run.experiment = (SELECT min(run.experiment) FROM candidate
                        JOIN run ON run.id = candidate.run
                        JOIN run_job ON run_job.run = candidate.run AND run_job.job = candidate.selector
                                    AND run_job.live = 1
                        WHERE candidate.selector = :selector)
ORDER BY candidate.digest, run.seed, candidate.run

-- name: measured_jobs
SELECT job.state = 'DONE' AND job.diverged = 0, coalesce(job.attempt, 0), run_job.live
FROM run_job JOIN job_need ON job_need.job = :selector AND job_need.need = run_job.job AND job_need.gate = 0
JOIN job ON job.id = run_job.job AND NOT (job.kind = 'select' AND job.step GLOB 'halving.*')
WHERE run_job.run = :run ORDER BY job.id

-- name: measured_families
SELECT DISTINCT family.id, family.kind, run_family.examples
FROM run_job JOIN job_need ON job_need.job = :selector AND job_need.need = run_job.job AND job_need.gate = 0
JOIN job_family ON job_family.job = run_job.job
JOIN run_family ON run_family.run = run_job.run AND run_family.family = job_family.family
JOIN family ON family.id = job_family.family
WHERE run_job.run = :run ORDER BY family.id

-- name: measure_tally
SELECT n, correct, labelled, layers_all FROM tally WHERE family = :family AND examples = :examples AND part = 0

-- name: measure_scores
SELECT count(*), sum(correct), 0, sum(layers) FROM score WHERE family = :family AND idx < :examples

-- name: measure_labels
SELECT count(*), sum(base_correct), sum(has_label), sum(label_layers) FROM label
WHERE family = :family AND idx < :examples

-- name: measure_summary
SELECT value, n FROM summary WHERE family = :family AND examples = :examples AND metric = :metric

-- name: measure_last
SELECT last FROM series WHERE attempt = :attempt AND name = :name

-- name: job_params_text
SELECT params_text FROM job WHERE id = :id
