-- SPDX-License-Identifier: Apache-2.0
-- 0009_dispatch.sql - dispatch: what a job asks for, on whose account it runs, estimates, who did what. For people: docs/tables.md.

-- SQLite makes a table of a list of more than two words for every row that it checks; a chain of comparisons says the
-- same and costs nothing. Attempts no longer take their numbers from sqlite_sequence. Neither changes a byte of the rows,
-- so the texts are changed where they stand.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
    'CHECK (state IN (''WAITING'', ''READY'', ''DONE'', ''FAILED'', ''CANCELLED'', ''SKIPPED''))',
    'CHECK (state = ''DONE'' OR state = ''READY'' OR state = ''WAITING'' OR state = ''FAILED'' OR state = ''CANCELLED'' OR state = ''SKIPPED'')')
WHERE type = 'table' AND name = 'job';
UPDATE sqlite_schema SET sql = replace(replace(sql,
    'CHECK (outcome IN (''RUNNING'', ''DONE'', ''FAILED'', ''OOM'', ''TIMEOUT'', ''PREEMPTED'',
                                                 ''CANCELLED'', ''LOST'', ''DIVERGED''))',
    'CHECK (outcome = ''DONE'' OR outcome = ''RUNNING'' OR outcome = ''FAILED'' OR outcome = ''OOM'' OR outcome = ''TIMEOUT'' OR outcome = ''PREEMPTED'' OR outcome = ''CANCELLED'' OR outcome = ''LOST'' OR outcome = ''DIVERGED'')'),
    'INTEGER PRIMARY KEY AUTOINCREMENT', 'INTEGER PRIMARY KEY')
WHERE type = 'table' AND name = 'attempt';
PRAGMA writable_schema = RESET;

-- All attempts up to this number are given out or may have been: a block is taken before its first number is.
INSERT INTO meta SELECT 'attempt_reserved', coalesce(max(id), 0) FROM attempt;

-- How many transactions were committed, also told in FILE-mark, where IDENTITY says to which store it belongs (store/mark.h).
INSERT INTO meta VALUES ('commits', 0), ('identity', random());

-- The experiment on whose account it runs: of its live claims' experiments (of those not paused, if any) the one with the
-- highest priority, the oldest of several. NULL: nobody wants it.
ALTER TABLE job ADD COLUMN owner INTEGER REFERENCES experiment (id);
-- What it asks of its worker; no part of its key.
ALTER TABLE job ADD COLUMN cores INTEGER NOT NULL DEFAULT 0;      -- 0: one slot
ALTER TABLE job ADD COLUMN memory_mib INTEGER NOT NULL DEFAULT 0; -- 0: not said
ALTER TABLE job ADD COLUMN labels TEXT NOT NULL DEFAULT '';       -- sorted, one space between
-- What can be known of a job without looking for rows: triggers below keep both, and they only rise.
ALTER TABLE job ADD COLUMN parts INTEGER NOT NULL DEFAULT 0 CHECK (parts IN (0, 1));   -- 1: it has inputs or families
ALTER TABLE job ADD COLUMN needed INTEGER NOT NULL DEFAULT 0 CHECK (needed IN (0, 1)); -- 1: another job needs it

UPDATE job SET parts = 1
WHERE EXISTS (SELECT 1 FROM job_input WHERE job_input.job = job.id)
   OR EXISTS (SELECT 1 FROM job_family WHERE job_family.job = job.id);
UPDATE job SET needed = 1 WHERE EXISTS (SELECT 1 FROM job_need WHERE job_need.need = job.id);
UPDATE job SET owner = (
    SELECT 4294967296 - (max((experiment.paused = 0) * 1152921504606846976
                             + (experiment.priority + 2097152) * 4294967296
                             + 4294967296 - experiment.id) & 4294967295)
    FROM run_job AS claim
    JOIN run AS wanting ON wanting.id = claim.run
    JOIN experiment ON experiment.id = wanting.experiment
    WHERE claim.job = job.id AND claim.live = 1)
WHERE state IN ('WAITING', 'READY');

CREATE TRIGGER job_parts_input AFTER INSERT ON job_input BEGIN
    UPDATE job SET parts = 1 WHERE id = NEW.job AND parts = 0;
END;
CREATE TRIGGER job_parts_family AFTER INSERT ON job_family BEGIN
    UPDATE job SET parts = 1 WHERE id = NEW.job AND parts = 0;
END;
CREATE TRIGGER job_needed AFTER INSERT ON job_need BEGIN
    UPDATE job SET needed = 1 WHERE id = NEW.need AND needed = 0;
END;

-- One experiment's ready jobs, a page at a time, among millions of others.
DROP INDEX job_ready;
CREATE INDEX job_ready ON job (owner, priority DESC, id) WHERE state = 'READY' AND paused = 0;
-- No statement looks attempts up by worker.
DROP INDEX attempt_worker;

-- How long jobs of one shape take: a cache of drover's own, for giving workers work ahead.
CREATE TABLE shape (
    id      INTEGER PRIMARY KEY, -- digest of (experiment, kind, version, class, step, units)
    results INTEGER NOT NULL,    -- that were seen
    mean_us INTEGER NOT NULL     -- of the recent ones
) STRICT;

-- Kernel level, CPU, versions: said once, for an attempt of the worker whose own is NULL.
ALTER TABLE worker ADD COLUMN environment TEXT;

-- Who did, or tried to do, what over the network.
CREATE TABLE audit (
    id    INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    who   TEXT NOT NULL, -- name of the key, or its first digits
    role  TEXT NOT NULL, -- view, submit, work, admin
    peer  TEXT NOT NULL, -- address
    what  TEXT NOT NULL, -- a fixed word: submit, cancel, refused...
    text  TEXT NOT NULL
) STRICT;

-- As before, but for jobs that never had a stored attempt, and so no checkpoint.
DROP TRIGGER checkpoint_of_job;
CREATE TRIGGER checkpoint_of_job AFTER UPDATE OF state ON job
WHEN OLD.epoch > 0 AND (NEW.state = 'DONE' OR NEW.state = 'CANCELLED' OR NEW.state = 'SKIPPED') BEGIN
    DELETE FROM checkpoint WHERE job = NEW.id;
END;

-- As before, but where the writer says that it sums a group of rows up itself, with one UPDATE per run at the commit
-- (store/later.c): sums_later() is 1 then.
DROP TRIGGER run_summary_claim;
CREATE TRIGGER run_summary_claim AFTER INSERT ON run_job WHEN NOT sums_later() BEGIN
    UPDATE run_summary
    SET (jobs, waiting, ready, done, failed, skipped, cancelled, diverged, wall_ms) =
            (SELECT run_summary.jobs + 1,
                    run_summary.waiting + (state = 'WAITING'),
                    run_summary.ready + (state = 'READY'),
                    run_summary.done + (state = 'DONE'),
                    run_summary.failed + (state = 'FAILED'),
                    run_summary.skipped + (state = 'SKIPPED'),
                    run_summary.cancelled + (state = 'CANCELLED'),
                    run_summary.diverged + job.diverged,
                    run_summary.wall_ms + coalesce((SELECT wall_ms FROM attempt WHERE id = job.attempt), 0)
             FROM job WHERE job.id = NEW.job)
    WHERE run = NEW.run;
    UPDATE run_summary
    SET (first_ms, last_ms) =
            (SELECT min(coalesce(run_summary.first_ms, ended.first), ended.first),
                    max(coalesce(run_summary.last_ms, ended.last), ended.last)
             FROM (SELECT min(started_ms) AS first, max(ended_ms) AS last FROM attempt
                   WHERE attempt.job = NEW.job AND ended_ms IS NOT NULL) AS ended)
    WHERE run = NEW.run AND EXISTS (SELECT 1 FROM attempt WHERE job = NEW.job AND ended_ms IS NOT NULL);
END;

DROP TRIGGER run_summary_job;
CREATE TRIGGER run_summary_job AFTER UPDATE OF state, attempt, diverged ON job
WHEN (OLD.state <> NEW.state OR OLD.attempt IS NOT NEW.attempt OR OLD.diverged <> NEW.diverged) AND NOT sums_later() BEGIN
    UPDATE run_summary
    SET waiting = waiting + (NEW.state = 'WAITING') - (OLD.state = 'WAITING'),
        ready = ready + (NEW.state = 'READY') - (OLD.state = 'READY'),
        done = done + (NEW.state = 'DONE') - (OLD.state = 'DONE'),
        failed = failed + (NEW.state = 'FAILED') - (OLD.state = 'FAILED'),
        skipped = skipped + (NEW.state = 'SKIPPED') - (OLD.state = 'SKIPPED'),
        cancelled = cancelled + (NEW.state = 'CANCELLED') - (OLD.state = 'CANCELLED'),
        diverged = diverged + NEW.diverged - OLD.diverged,
        wall_ms = wall_ms + coalesce((SELECT wall_ms FROM attempt WHERE id = NEW.attempt), 0)
                          - coalesce((SELECT wall_ms FROM attempt WHERE id = OLD.attempt), 0)
    WHERE run IN (SELECT run FROM run_job WHERE job = NEW.id);
END;

-- No row of attempt begins ended, but those of plain results, which the writer sums up itself, and those that an import
-- copies (store/keep/copy.c has a trigger of its own for them). With a trigger on it, SQLite copies whatever a SELECT
-- inserts into a table of its own first: a tenth of what a result costs.
DROP TRIGGER run_summary_attempt_new;
