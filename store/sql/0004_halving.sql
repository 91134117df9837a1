-- SPDX-License-Identifier: Apache-2.0
-- 0004_halving.sql - halving: gates and candidates. For people: docs/tables.md.

-- The state of the recipe's folder in git when the revision was submitted: "COMMIT BRANCH clean|changed"; '' when it is in no repository.
ALTER TABLE revision ADD COLUMN git TEXT NOT NULL DEFAULT '';

-- 1: the job needs a select job only because its claims are gated by it (table gate); whether it waits is said there.
ALTER TABLE job_need ADD COLUMN gate INTEGER NOT NULL DEFAULT 0 CHECK (gate IN (0, 1));

-- A run among which the select job SELECTOR chooses. Runs of one candidate (DIGEST) differ by their seed alone.
CREATE TABLE candidate (
    selector INTEGER NOT NULL REFERENCES job (id),
    run      INTEGER NOT NULL REFERENCES run (id),
    digest   BLOB NOT NULL CHECK (length(digest) = 32),  -- of the point without its seed
    chosen   INTEGER CHECK (chosen IN (0, 1)),           -- NULL: not decided yet
    PRIMARY KEY (selector, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX candidate_digest ON candidate (selector, digest);
CREATE INDEX candidate_run ON candidate (run);

-- The run's claim on the job holds only if the select job SELECTOR chooses the run.
CREATE TABLE gate (
    run      INTEGER NOT NULL REFERENCES run (id),
    job      INTEGER NOT NULL REFERENCES job (id),
    selector INTEGER NOT NULL REFERENCES job (id),
    PRIMARY KEY (run, job, selector)
) STRICT, WITHOUT ROWID;
CREATE INDEX gate_job ON gate (job);
CREATE INDEX gate_selector ON gate (selector, run);

-- VIEWS

-- One row per live run and rung of a halving: did the run go on?
CREATE VIEW halving AS
SELECT experiment.name AS experiment,
       run.id AS run,
       run.seed AS seed,
       run_job.step AS step,         -- of the select job: "halving.1"...
       job.id AS job,                            -- the select job
       job.state AS state,                       -- its state; DONE: decided
       lower(hex(candidate.digest)) AS candidate,-- the same for runs that differ by their seed alone
       candidate.chosen AS chosen                -- 1: went on, 0: did not, NULL: not decided
FROM candidate
JOIN run ON run.id = candidate.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN job ON job.id = candidate.selector
JOIN run_job ON run_job.run = candidate.run AND run_job.job = candidate.selector;

-- One row per live run. As before, but jobs that halving skipped are no failures.
DROP VIEW run_result;
CREATE VIEW run_result AS
SELECT experiment.name AS experiment,
       revision.number AS revision,
       run.id AS run,
       run.seed AS seed,
       (SELECT json_group_object(name, value) FROM param WHERE param.run = run.id) AS params, -- JSON object
       count(job.id) AS jobs, -- that it claims
       coalesce(sum(job.state = 'DONE'), 0) AS jobs_done,
       coalesce(sum(job.state = 'FAILED' OR job.state = 'SKIPPED' AND run_job.live = 1), 0) AS jobs_failed, -- or skipped because of one
       coalesce(sum(job.diverged), 0) AS jobs_diverged,
       coalesce(sum(attempt.wall_ms), 0) / 1000.0 AS seconds, -- of the effective attempts
       (SELECT sum(correct) * 1.0 / sum(n) FROM accuracy WHERE accuracy.run = run.id AND method = 'score') AS accuracy,
       (SELECT sum(correct) * 1.0 / sum(n) FROM accuracy WHERE accuracy.run = run.id AND method = 'base') AS base,
       (SELECT sum(correct) * 1.0 / sum(n) FROM accuracy WHERE accuracy.run = run.id AND method = 'oracle') AS oracle,
       coalesce(sum(job.state = 'SKIPPED' AND run_job.live = 0), 0) AS jobs_skipped -- by halving
FROM run
JOIN experiment ON experiment.id = run.experiment
JOIN revision ON revision.id = run.revision
LEFT JOIN run_job ON run_job.run = run.id
LEFT JOIN job ON job.id = run_job.job
LEFT JOIN attempt ON attempt.id = job.attempt
WHERE run.superseded = 0
GROUP BY run.id;

-- One row per number that a job of a live run reported while training; the effective attempt's only, and none of a job that a halving
-- decided the run does without (another run, or an earlier revision, may have run it).
CREATE VIEW curriculum AS
SELECT experiment.name AS experiment,
       run.id AS run,
       run.seed AS seed,
       run_job.step AS step,      -- id in the recipe
       job.id AS job,
       job.diverged AS diverged,  -- 1: training met NaN or a bound; numbers up to there
       series.name AS metric,     -- "loss", "lr"...
       CASE WHEN metric_chunk.steps IS NULL THEN metric_chunk.first_step + point.key * metric_chunk.stride
            ELSE json_extract(metric_chunk.steps, '$[' || point.key || ']') END AS at_step, -- training step
       CAST(point.value AS REAL) AS value
FROM run_job
JOIN run ON run.id = run_job.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN job ON job.id = run_job.job
JOIN series ON series.attempt = job.attempt
JOIN metric_chunk ON metric_chunk.series = series.id AND metric_chunk.level = 0
JOIN json_each(metric_chunk.points) AS point
WHERE NOT EXISTS (SELECT 1 FROM gate JOIN candidate ON candidate.selector = gate.selector AND candidate.run = gate.run
                  WHERE gate.run = run_job.run AND gate.job = run_job.job AND candidate.chosen = 0);
