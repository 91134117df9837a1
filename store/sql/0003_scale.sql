-- SPDX-License-Identifier: Apache-2.0
-- 0003_scale.sql - scale: metrics in chunks, tallies and vectors of complete families, summaries of runs. For people: docs/tables.md.
-- What an older store holds is put into the new tables by store/upgrade.c when it opens next.

INSERT INTO meta VALUES ('upgrade', 3);

-- No statement looks results up by attempt: two indexes less to keep for ten million rows.
DROP INDEX score_attempt;
DROP INDEX label_attempt;

-- The first EXAMPLES results of a family summed up, written with the result that makes them complete. PART 0: all of
-- them; 1, 2...: by subset. Results never change; only REPEATS does.
CREATE TABLE tally (
    family       INTEGER NOT NULL REFERENCES family (id),
    examples     INTEGER NOT NULL,
    part         INTEGER NOT NULL,
    subset       TEXT NOT NULL,
    parts        INTEGER NOT NULL, -- of part 0: how many there are; 0: too many to keep
    search       INTEGER NOT NULL CHECK (search IN (0, 1)), -- 1: of labels
    n            INTEGER NOT NULL,
    correct      INTEGER NOT NULL, -- search: by the default path
    correct_norm INTEGER NOT NULL,
    labelled     INTEGER NOT NULL,
    preserved    INTEGER NOT NULL,
    improved     INTEGER NOT NULL,
    layers_label REAL NOT NULL,    -- search: sum over the examples with a label; evaluate: per token row
    layers_all   REAL NOT NULL,
    layers_base  REAL NOT NULL,
    tokens       INTEGER NOT NULL,
    generated    INTEGER NOT NULL,
    truncated    INTEGER NOT NULL, -- examples whose prompt was cut
    repeats      INTEGER NOT NULL,
    PRIMARY KEY (family, examples, part)
) STRICT, WITHOUT ROWID;

-- One metric of the first N results of a family, by index; a cache of drover's own, made from the rows.
CREATE TABLE vector (
    id     INTEGER PRIMARY KEY,
    family INTEGER NOT NULL REFERENCES family (id),
    metric TEXT NOT NULL,
    n      INTEGER NOT NULL,
    form   INTEGER NOT NULL, -- 0 one double for all, 1 bytes (255: does not apply), 2 floats, 3 doubles; little-endian
    data   BLOB NOT NULL,
    UNIQUE (family, metric)
) STRICT;

-- What one attempt reported under one name while training.
CREATE TABLE series (
    id         INTEGER PRIMARY KEY,
    attempt    INTEGER NOT NULL REFERENCES attempt (id),
    name       TEXT NOT NULL,
    n          INTEGER NOT NULL, -- points
    finite     INTEGER NOT NULL, -- of them finite numbers
    first_step INTEGER NOT NULL,
    last_step  INTEGER NOT NULL,
    last       REAL,             -- value at LAST_STEP; NULL: not a finite number
    min        REAL,             -- NULL without finite numbers
    max        REAL,
    sum        REAL NOT NULL,
    head       REAL NOT NULL,    -- sum of all chunks but the last
    closed     INTEGER NOT NULL, -- chunks that were filled
    UNIQUE (attempt, name)
) STRICT;

-- LEVEL 0: up to 512 points in order of step; LEVEL k sums up 64 rows of the level below.
CREATE TABLE metric_chunk (
    id         INTEGER PRIMARY KEY,
    series     INTEGER NOT NULL REFERENCES series (id),
    level      INTEGER NOT NULL,
    first_step INTEGER NOT NULL,
    last_step  INTEGER NOT NULL,
    stride     INTEGER NOT NULL, -- from step to step where STEPS is NULL
    n          INTEGER NOT NULL,
    finite     INTEGER NOT NULL,
    min        REAL,
    max        REAL,
    sum        REAL NOT NULL,
    steps      TEXT,             -- JSON list; NULL: first_step, first_step + stride...
    points     TEXT,             -- JSON list of n numbers; null: not a finite number. Level 0 only
    UNIQUE (series, level, first_step)
) STRICT;

-- 0004 makes it anew: it asks the gates of a halving too.
DROP VIEW curriculum;
ALTER TABLE metric RENAME TO metric_old;

-- One wide row per run, kept by the triggers below.
CREATE TABLE run_summary (
    run        INTEGER PRIMARY KEY REFERENCES run (id),
    experiment INTEGER NOT NULL REFERENCES experiment (id),
    jobs       INTEGER NOT NULL DEFAULT 0, -- that it claims
    waiting    INTEGER NOT NULL DEFAULT 0, -- by their state
    ready      INTEGER NOT NULL DEFAULT 0,
    done       INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    skipped    INTEGER NOT NULL DEFAULT 0,
    cancelled  INTEGER NOT NULL DEFAULT 0,
    diverged   INTEGER NOT NULL DEFAULT 0, -- of the done
    wall_ms    INTEGER NOT NULL DEFAULT 0, -- of the attempts that gave the results
    seconds    REAL GENERATED ALWAYS AS (wall_ms / 1000.0) VIRTUAL,
    accuracy   REAL,                       -- over the evaluate steps whose examples are complete; NULL: none
    base       REAL,                       -- over the search steps whose examples are complete: the default path
    oracle     REAL,                       -- the best path
    n          INTEGER NOT NULL DEFAULT 0, -- examples that accuracy rests on
    layers     REAL,                       -- their mean layer applications per token row
    tokens     INTEGER NOT NULL DEFAULT 0, -- their token rows
    first_ms   INTEGER,                    -- start of the first ended attempt of its jobs
    last_ms    INTEGER                     -- end of the last one
) STRICT;
CREATE INDEX run_summary_experiment ON run_summary (experiment, run);

INSERT INTO run_summary (run, experiment, jobs, waiting, ready, done, failed, skipped, cancelled, diverged, wall_ms,
                         first_ms, last_ms)
SELECT run.id, run.experiment, count(job.id), coalesce(sum(job.state = 'WAITING'), 0),
       coalesce(sum(job.state = 'READY'), 0), coalesce(sum(job.state = 'DONE'), 0),
       coalesce(sum(job.state = 'FAILED'), 0), coalesce(sum(job.state = 'SKIPPED'), 0),
       coalesce(sum(job.state = 'CANCELLED'), 0), coalesce(sum(job.diverged), 0), coalesce(sum(attempt.wall_ms), 0),
       (SELECT min(ended.started_ms) FROM run_job AS claim JOIN attempt AS ended ON ended.job = claim.job
        WHERE claim.run = run.id AND ended.ended_ms IS NOT NULL),
       (SELECT max(ended.ended_ms) FROM run_job AS claim JOIN attempt AS ended ON ended.job = claim.job
        WHERE claim.run = run.id)
FROM run
LEFT JOIN run_job ON run_job.run = run.id
LEFT JOIN job ON job.id = run_job.job
LEFT JOIN attempt ON attempt.id = job.attempt
GROUP BY run.id;

CREATE TRIGGER run_summary_run AFTER INSERT ON run BEGIN
    INSERT INTO run_summary (run, experiment) VALUES (NEW.id, NEW.experiment);
END;

CREATE TRIGGER run_summary_run_gone BEFORE DELETE ON run BEGIN
    DELETE FROM run_summary WHERE run = OLD.id;
END;

-- No UPDATE ... FROM here: it makes a temporary table each time, and a plan has a million claims.
CREATE TRIGGER run_summary_claim AFTER INSERT ON run_job BEGIN
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

CREATE TRIGGER run_summary_claim_gone AFTER DELETE ON run_job BEGIN
    UPDATE run_summary
    SET (jobs, waiting, ready, done, failed, skipped, cancelled, diverged, wall_ms) =
            (SELECT run_summary.jobs - 1,
                    run_summary.waiting - (state = 'WAITING'),
                    run_summary.ready - (state = 'READY'),
                    run_summary.done - (state = 'DONE'),
                    run_summary.failed - (state = 'FAILED'),
                    run_summary.skipped - (state = 'SKIPPED'),
                    run_summary.cancelled - (state = 'CANCELLED'),
                    run_summary.diverged - job.diverged,
                    run_summary.wall_ms - coalesce((SELECT wall_ms FROM attempt WHERE id = job.attempt), 0)
             FROM job WHERE job.id = OLD.job)
    WHERE run = OLD.run;
    UPDATE run_summary
    SET (first_ms, last_ms) = (SELECT min(attempt.started_ms), max(attempt.ended_ms)
                               FROM run_job JOIN attempt ON attempt.job = run_job.job AND attempt.ended_ms IS NOT NULL
                               WHERE run_job.run = OLD.run)
    WHERE run = OLD.run;
END;

CREATE TRIGGER run_summary_job AFTER UPDATE OF state, attempt, diverged ON job
WHEN OLD.state <> NEW.state OR OLD.attempt IS NOT NEW.attempt OR OLD.diverged <> NEW.diverged BEGIN
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

CREATE TRIGGER run_summary_attempt AFTER UPDATE OF ended_ms, wall_ms ON attempt
WHEN NEW.ended_ms IS NOT NULL BEGIN
    UPDATE run_summary
    SET first_ms = min(coalesce(first_ms, NEW.started_ms), NEW.started_ms),
        last_ms = max(coalesce(last_ms, NEW.ended_ms), NEW.ended_ms),
        wall_ms = wall_ms + CASE WHEN (SELECT attempt FROM job WHERE id = NEW.job) = NEW.id
                                 THEN coalesce(NEW.wall_ms, 0) - coalesce(OLD.wall_ms, 0) ELSE 0 END
    WHERE run IN (SELECT run FROM run_job WHERE job = NEW.job);
END;

CREATE TRIGGER run_summary_attempt_new AFTER INSERT ON attempt WHEN NEW.ended_ms IS NOT NULL BEGIN
    UPDATE run_summary
    SET first_ms = min(coalesce(first_ms, NEW.started_ms), NEW.started_ms),
        last_ms = max(coalesce(last_ms, NEW.ended_ms), NEW.ended_ms)
    WHERE run IN (SELECT run FROM run_job WHERE job = NEW.job);
END;

-- The results of a run, from tallies only; the triggers give the part of it that they changed.
CREATE VIEW run_tally AS
SELECT run_family.run AS run, tally.search AS search,
       sum(tally.n) AS n, sum(tally.correct) AS correct, sum(tally.labelled) AS labelled,
       sum(tally.layers_all) AS layers, sum(tally.tokens) AS tokens
FROM run_family
JOIN tally ON tally.family = run_family.family AND tally.examples = run_family.examples AND tally.part = 0
GROUP BY run_family.run, tally.search;

CREATE TRIGGER run_summary_tally AFTER INSERT ON tally WHEN NEW.part = 0 BEGIN
    UPDATE run_summary
    SET (n, accuracy, layers, tokens) =
            (SELECT coalesce(sum(n), 0), sum(correct) * 1.0 / sum(n), sum(layers) / sum(n), coalesce(sum(tokens), 0)
             FROM run_tally WHERE run_tally.run = run_summary.run AND search = 0),
        (base, oracle) = (SELECT sum(correct) * 1.0 / sum(n), sum(labelled) * 1.0 / sum(n)
                          FROM run_tally WHERE run_tally.run = run_summary.run AND search = 1)
    WHERE run IN (SELECT run FROM run_family WHERE family = NEW.family AND examples = NEW.examples);
END;

CREATE TRIGGER run_summary_family AFTER INSERT ON run_family
WHEN EXISTS (SELECT 1 FROM tally WHERE family = NEW.family AND examples = NEW.examples AND part = 0) BEGIN
    UPDATE run_summary
    SET (n, accuracy, layers, tokens) =
            (SELECT coalesce(sum(n), 0), sum(correct) * 1.0 / sum(n), sum(layers) / sum(n), coalesce(sum(tokens), 0)
             FROM run_tally WHERE run_tally.run = run_summary.run AND search = 0),
        (base, oracle) = (SELECT sum(correct) * 1.0 / sum(n), sum(labelled) * 1.0 / sum(n)
                          FROM run_tally WHERE run_tally.run = run_summary.run AND search = 1)
    WHERE run = NEW.run;
END;

CREATE TRIGGER run_summary_family_gone AFTER DELETE ON run_family
WHEN EXISTS (SELECT 1 FROM tally WHERE family = OLD.family AND examples = OLD.examples AND part = 0) BEGIN
    UPDATE run_summary
    SET (n, accuracy, layers, tokens) =
            (SELECT coalesce(sum(n), 0), sum(correct) * 1.0 / sum(n), sum(layers) / sum(n), coalesce(sum(tokens), 0)
             FROM run_tally WHERE run_tally.run = run_summary.run AND search = 0),
        (base, oracle) = (SELECT sum(correct) * 1.0 / sum(n), sum(labelled) * 1.0 / sum(n)
                          FROM run_tally WHERE run_tally.run = run_summary.run AND search = 1)
    WHERE run = OLD.run;
END;

CREATE TRIGGER run_summary_family_other AFTER UPDATE OF examples ON run_family
WHEN OLD.examples <> NEW.examples BEGIN
    UPDATE run_summary
    SET (n, accuracy, layers, tokens) =
            (SELECT coalesce(sum(n), 0), sum(correct) * 1.0 / sum(n), sum(layers) / sum(n), coalesce(sum(tokens), 0)
             FROM run_tally WHERE run_tally.run = run_summary.run AND search = 0),
        (base, oracle) = (SELECT sum(correct) * 1.0 / sum(n), sum(labelled) * 1.0 / sum(n)
                          FROM run_tally WHERE run_tally.run = run_summary.run AND search = 1)
    WHERE run = NEW.run;
END;
