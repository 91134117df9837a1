-- SPDX-License-Identifier: Apache-2.0
-- 0001_init.sql - the first schema. For people: docs/tables.md. Times are milliseconds since 1970 (UTC), for display only.
-- Digests and keys are 32-byte blobs (BLAKE2b-256); show them with hex(). Rows refer to each other by row number.

-- Counters of the store itself: incarnation = how often a coordinator was started on this file.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('incarnation', 0);

-- A recipe's name.
CREATE TABLE experiment (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    revision     INTEGER REFERENCES revision (id), -- the one submitted last
    submitted_ms INTEGER NOT NULL,                 -- its last submission
    cancelled    INTEGER NOT NULL DEFAULT 0 CHECK (cancelled IN (0, 1))
) STRICT;

-- A set of points of an experiment, with the recipe that made it.
CREATE TABLE revision (
    id           INTEGER PRIMARY KEY,
    experiment   INTEGER NOT NULL REFERENCES experiment (id),
    number       INTEGER NOT NULL, -- 1, 2, 3... in the order of first submission
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    recipe       TEXT NOT NULL,    -- includes resolved
    path         TEXT NOT NULL,    -- where the user had it
    submitted_ms INTEGER NOT NULL,
    UNIQUE (experiment, digest),
    UNIQUE (experiment, number)
) STRICT;

-- One point of a sweep: parameters and seed.
CREATE TABLE run (
    id         INTEGER PRIMARY KEY,
    experiment INTEGER NOT NULL REFERENCES experiment (id),
    digest     BLOB NOT NULL CHECK (length(digest) = 32), -- of the point
    seed       INTEGER NOT NULL,
    revision   INTEGER NOT NULL REFERENCES revision (id), -- the last one that had it
    superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),
    UNIQUE (experiment, digest)
) STRICT;
CREATE INDEX run_revision ON run (revision);

-- What the sweep set in a run, as recipe text.
CREATE TABLE param (
    run   INTEGER NOT NULL REFERENCES run (id),
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- What the results of examples belong to: a job's key without its shard and without how many were asked for.
CREATE TABLE family (
    id    INTEGER PRIMARY KEY,
    key   BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
    kind  TEXT NOT NULL, -- search or evaluate
    task  TEXT NOT NULL,
    level INTEGER NOT NULL,
    split TEXT NOT NULL
) STRICT;

-- A run's step reads the first EXAMPLES examples of a family.
CREATE TABLE run_family (
    run      INTEGER NOT NULL REFERENCES run (id),
    step     TEXT NOT NULL,
    family   INTEGER NOT NULL REFERENCES family (id),
    examples INTEGER NOT NULL,
    PRIMARY KEY (run, step, family)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_family_family ON run_family (family);

-- The unit of leased work. That a job runs is the coordinator's memory: here it stays READY.
CREATE TABLE job (
    id           INTEGER PRIMARY KEY,
    key          BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
    kind         TEXT NOT NULL,
    kind_version INTEGER NOT NULL,
    class        TEXT NOT NULL,    -- numeric class
    step         TEXT NOT NULL,    -- id in the recipe that asked first
    state        TEXT NOT NULL CHECK (state IN ('WAITING', 'READY', 'DONE', 'FAILED', 'CANCELLED', 'SKIPPED')),
    waiting      INTEGER NOT NULL, -- how many of its needs are not met
    priority     INTEGER NOT NULL, -- higher first
    seed         INTEGER NOT NULL,
    range_begin  INTEGER NOT NULL, -- shard: examples range_begin .. range_end - 1
    range_end    INTEGER NOT NULL, -- 0 when the job is no shard
    retries      INTEGER NOT NULL, -- further tries it is allowed
    tries        INTEGER NOT NULL DEFAULT 0, -- failures of its own: FAILED, OOM, TIMEOUT
    losses       INTEGER NOT NULL DEFAULT 0, -- LOST and PREEMPTED
    epoch        INTEGER NOT NULL DEFAULT 0, -- of the last attempt
    attempt      INTEGER REFERENCES attempt (id), -- the effective one: it gave the committed result
    diverged     INTEGER NOT NULL DEFAULT 0 CHECK (diverged IN (0, 1)),
    params       BLOB NOT NULL,    -- packed, as the worker gets them
    params_text  TEXT NOT NULL,    -- the same for people
    submitted_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX job_ready ON job (priority DESC, id) WHERE state = 'READY';

-- Job needs job NEED done first.
CREATE TABLE job_need (
    job  INTEGER NOT NULL REFERENCES job (id),
    need INTEGER NOT NULL REFERENCES job (id),
    PRIMARY KEY (job, need)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_need_need ON job_need (need);

-- What a job reads, in the order of its plan.
CREATE TABLE job_input (
    job      INTEGER NOT NULL REFERENCES job (id),
    place    INTEGER NOT NULL,
    name     TEXT NOT NULL,
    source   TEXT NOT NULL CHECK (source IN ('BLOB', 'OUTPUT', 'RESULTS')),
    blob     INTEGER REFERENCES blob (id), -- BLOB
    producer INTEGER REFERENCES job (id),  -- OUTPUT: of this job
    output   TEXT,                         -- OUTPUT: under this name
    PRIMARY KEY (job, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_input_producer ON job_input (producer) WHERE producer IS NOT NULL;

-- Families that a job writes (search, evaluate: one) or reads (collect: the first EXAMPLES of each, in order of PLACE).
CREATE TABLE job_family (
    job      INTEGER NOT NULL REFERENCES job (id),
    place    INTEGER NOT NULL,
    family   INTEGER NOT NULL REFERENCES family (id),
    examples INTEGER NOT NULL, -- 0: not limited
    PRIMARY KEY (job, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_family_family ON job_family (family);

-- A claim: the run needs the job, under this step. A job stops when no live claim is left.
CREATE TABLE run_job (
    run  INTEGER NOT NULL REFERENCES run (id),
    job  INTEGER NOT NULL REFERENCES job (id),
    step TEXT NOT NULL,
    live INTEGER NOT NULL CHECK (live IN (0, 1)), -- 0: the run is superseded or cancelled
    PRIMARY KEY (run, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_job_job ON run_job (job, live);

-- A worker process, of its start (UID is new each time).
CREATE TABLE worker (
    id        INTEGER PRIMARY KEY,
    uid       BLOB NOT NULL UNIQUE CHECK (length(uid) = 16),
    name      TEXT NOT NULL,
    host      TEXT NOT NULL,
    pid       INTEGER NOT NULL,
    version   TEXT NOT NULL,
    classes   TEXT NOT NULL, -- numeric classes that it offers
    slots     INTEGER NOT NULL,
    threads   INTEGER NOT NULL, -- per slot
    first_ms  INTEGER NOT NULL,
    last_ms   INTEGER NOT NULL, -- last hello
    gone      TEXT              -- why it is gone; NULL while it is here
) STRICT;

-- One execution of a job.
CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job         INTEGER NOT NULL REFERENCES job (id),
    epoch       INTEGER NOT NULL, -- grows with each attempt of the job
    worker      INTEGER REFERENCES worker (id),
    incarnation INTEGER NOT NULL, -- of the coordinator that started it
    outcome     TEXT NOT NULL CHECK (outcome IN ('RUNNING', 'DONE', 'FAILED', 'OOM', 'TIMEOUT', 'PREEMPTED',
                                                 'CANCELLED', 'LOST', 'DIVERGED')),
    started_ms  INTEGER NOT NULL,
    ended_ms    INTEGER,
    wall_ms     INTEGER, -- as the worker measured it
    cpu_ms      INTEGER,
    text        TEXT,    -- why, for people
    environment TEXT,    -- kernel level, CPU, versions of the worker
    compared    TEXT CHECK (compared IN ('SAME', 'DIFFERENT')), -- a late or repeated result against the committed one
    repeats     INTEGER NOT NULL DEFAULT 0, -- how often its own result came again
    UNIQUE (job, epoch)
) STRICT;
CREATE INDEX attempt_open ON attempt (id) WHERE outcome = 'RUNNING';
CREATE INDEX attempt_worker ON attempt (worker);

-- The end of an attempt's log (last 64 KiB).
CREATE TABLE log (
    attempt INTEGER PRIMARY KEY REFERENCES attempt (id),
    text    TEXT NOT NULL
) STRICT;

-- What happened, in order. Kinds: started, incident, lost, failed, cancelled, submitted, worker...
CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    at_ms       INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    job         INTEGER REFERENCES job (id),
    attempt     INTEGER REFERENCES attempt (id),
    text        TEXT NOT NULL
) STRICT;
CREATE INDEX event_kind ON event (kind);

-- Content-addressed bytes: beside this file in FILE-blobs, or (PATH) a file of the user.
CREATE TABLE blob (
    id      INTEGER PRIMARY KEY,
    digest  BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    size    INTEGER NOT NULL,
    folder  INTEGER NOT NULL DEFAULT 0 CHECK (folder IN (0, 1)), -- a manifest: lines "name size digest"
    path    TEXT NOT NULL DEFAULT '',                            -- '': in FILE-blobs
    evicted INTEGER NOT NULL DEFAULT 0 CHECK (evicted IN (0, 1)) -- bytes thrown away, digest kept
) STRICT;

-- What a job made.
CREATE TABLE job_output (
    job  INTEGER NOT NULL REFERENCES job (id),
    name TEXT NOT NULL,
    blob INTEGER NOT NULL REFERENCES blob (id),
    PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;

-- One problem of a task. NUMBER is its 64-bit id (signed here; show it with printf('%016x', number)).
CREATE TABLE example (
    id        INTEGER PRIMARY KEY,
    task      TEXT NOT NULL,
    level     INTEGER NOT NULL,
    split     TEXT NOT NULL,
    number    INTEGER NOT NULL,
    source_id TEXT NOT NULL, -- id in the file; for synthetic tasks the problem itself
    question  TEXT NOT NULL,
    gold      TEXT NOT NULL,
    UNIQUE (number, task, split, level)
) STRICT;

-- The label that a search found for an example.
CREATE TABLE label (
    id               INTEGER PRIMARY KEY,
    family           INTEGER NOT NULL REFERENCES family (id),
    example          INTEGER NOT NULL REFERENCES example (id),
    idx              INTEGER NOT NULL, -- place of the example in its task's list
    attempt          INTEGER NOT NULL REFERENCES attempt (id), -- that sent it first
    base_correct     INTEGER NOT NULL CHECK (base_correct IN (0, 1)), -- the default path answers right
    has_label        INTEGER NOT NULL CHECK (has_label IN (0, 1)),    -- some path does
    routing          TEXT,             -- per layer 0 skip, 1 execute, 2 repeat; NULL without label
    layers           INTEGER NOT NULL, -- of the model
    label_layers     INTEGER NOT NULL, -- layer applications of the label's path; layers without label
    simulations      INTEGER NOT NULL,
    evaluations      INTEGER NOT NULL, -- distinct paths evaluated
    layer_rows       INTEGER NOT NULL, -- layer applications times token rows that were computed
    layer_rows_whole INTEGER NOT NULL, -- the same had every simulated path been run whole
    base_answer      TEXT NOT NULL,
    label_answer     TEXT NOT NULL,
    wall_us          INTEGER NOT NULL,
    repeats          INTEGER NOT NULL DEFAULT 0, -- how often the same result came again
    digest           BLOB NOT NULL CHECK (length(digest) = 32), -- of the result, costs left out; for comparison
    UNIQUE (family, example),
    UNIQUE (family, idx)
) STRICT;
CREATE INDEX label_attempt ON label (attempt);

-- The paths that a search evaluated, in order of discovery (PLACE 0 is the default path).
CREATE TABLE search_log (
    label   INTEGER NOT NULL REFERENCES label (id),
    place   INTEGER NOT NULL,
    parent  INTEGER NOT NULL, -- place it was first reached from; -1 for the first
    routing TEXT NOT NULL,
    reward  REAL NOT NULL,
    visits  INTEGER NOT NULL,
    value   REAL NOT NULL,    -- sum of rewards
    answer  TEXT NOT NULL,
    PRIMARY KEY (label, place)
) STRICT, WITHOUT ROWID;

-- One example's outcome in an evaluation.
CREATE TABLE score (
    id           INTEGER PRIMARY KEY,
    family       INTEGER NOT NULL REFERENCES family (id),
    example      INTEGER NOT NULL REFERENCES example (id),
    idx          INTEGER NOT NULL,
    attempt      INTEGER NOT NULL REFERENCES attempt (id),
    correct      INTEGER NOT NULL CHECK (correct IN (0, 1)),      -- acc
    correct_norm INTEGER NOT NULL CHECK (correct_norm IN (0, 1)), -- acc_norm of choice tasks, else as correct
    answer       TEXT NOT NULL,
    layer_rows   INTEGER NOT NULL,
    layers       REAL NOT NULL,    -- layer applications per token row
    tokens       INTEGER NOT NULL, -- token rows
    routing      TEXT,             -- what was used; NULL when it is not one path
    logprob      TEXT,             -- JSON list, one per choice
    wall_us      INTEGER NOT NULL,
    repeats      INTEGER NOT NULL DEFAULT 0,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    UNIQUE (family, example),
    UNIQUE (family, idx)
) STRICT;
CREATE INDEX score_attempt ON score (attempt);

-- A number per step of training. The views show the effective attempts' only.
CREATE TABLE metric (
    attempt INTEGER NOT NULL REFERENCES attempt (id),
    name    TEXT NOT NULL,
    step    INTEGER NOT NULL,
    value   REAL, -- NULL: not a finite number
    PRIMARY KEY (attempt, name, step)
) STRICT, WITHOUT ROWID;

-- VIEWS: the stable face for people's own SQL. Columns are only added. Superseded runs are left out.

-- One row per label that a live run reads.
CREATE VIEW routing AS
SELECT experiment.name AS experiment, -- recipe's name
       run.id AS run,
       run.seed AS seed,
       run_family.step AS step,       -- id in the recipe
       family.task AS task,
       family.level AS level,
       family.split AS split,
       label.idx AS idx,              -- place in the task's list
       printf('%016x', example.number) AS example, -- the example's id
       example.source_id AS source_id,
       example.question AS question,
       example.gold AS gold,
       label.base_correct AS base_correct, -- 1: the default path answers right
       label.has_label AS has_label,       -- 1: some searched path does (oracle)
       label.routing AS routing,           -- NULL without label
       label.layers AS layers,             -- of the model
       label.label_layers AS label_layers, -- layer applications of the label's path
       label.base_correct AND label.has_label AS preserved,    -- right before, right with the label
       NOT label.base_correct AND label.has_label AS improved, -- wrong before, right with the label
       label.simulations AS simulations,
       label.evaluations AS evaluations,
       label.layer_rows AS layer_rows,
       label.layer_rows_whole AS layer_rows_whole,
       label.base_answer AS base_answer,
       label.label_answer AS label_answer,
       label.attempt AS attempt
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
JOIN example ON example.id = label.example;

-- One row per run, step, method, task, level and split. Method: 'score' an evaluate step, 'base' the default path in a
-- search step, 'oracle' the best path that the search found (it knows the answers: an upper bound, not a result).
CREATE VIEW accuracy AS
SELECT experiment.name AS experiment, run.id AS run, run.seed AS seed, run_family.step AS step,
       'score' AS method,
       family.task AS task, family.level AS level, family.split AS split,
       count(*) AS n,                            -- examples
       sum(score.correct) AS correct,
       avg(score.correct) AS accuracy,           -- 0..1
       avg(score.correct_norm) AS accuracy_norm, -- by length-normalised log-likelihood (choice tasks); 0..1
       avg(score.layers) AS layers               -- mean layer applications per token row
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN score ON score.family = run_family.family AND score.idx < run_family.examples
GROUP BY run.id, run_family.step, family.id
UNION ALL
SELECT experiment.name, run.id, run.seed, run_family.step, 'base', family.task, family.level, family.split,
       count(*), sum(label.base_correct), avg(label.base_correct), NULL, avg(label.layers)
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
GROUP BY run.id, run_family.step, family.id
UNION ALL
SELECT experiment.name, run.id, run.seed, run_family.step, 'oracle', family.task, family.level, family.split,
       count(*), sum(label.has_label), avg(label.has_label), NULL, avg(label.label_layers)
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
GROUP BY run.id, run_family.step, family.id;

-- One row per live run.
CREATE VIEW run_result AS
SELECT experiment.name AS experiment,
       revision.number AS revision,
       run.id AS run,
       run.seed AS seed,
       (SELECT json_group_object(name, value) FROM param WHERE param.run = run.id) AS params, -- JSON object
       count(job.id) AS jobs, -- that it claims
       coalesce(sum(job.state = 'DONE'), 0) AS jobs_done,
       coalesce(sum(job.state IN ('FAILED', 'SKIPPED')), 0) AS jobs_failed, -- or skipped because of one
       coalesce(sum(job.diverged), 0) AS jobs_diverged,
       coalesce(sum(attempt.wall_ms), 0) / 1000.0 AS seconds, -- of the effective attempts
       (SELECT sum(correct) * 1.0 / sum(n) FROM accuracy WHERE accuracy.run = run.id AND method = 'score') AS accuracy,
       (SELECT sum(correct) * 1.0 / sum(n) FROM accuracy WHERE accuracy.run = run.id AND method = 'base') AS base,
       (SELECT sum(correct) * 1.0 / sum(n) FROM accuracy WHERE accuracy.run = run.id AND method = 'oracle') AS oracle
FROM run
JOIN experiment ON experiment.id = run.experiment
JOIN revision ON revision.id = run.revision
LEFT JOIN run_job ON run_job.run = run.id
LEFT JOIN job ON job.id = run_job.job
LEFT JOIN attempt ON attempt.id = job.attempt
WHERE run.superseded = 0
GROUP BY run.id;

-- One row per number that a job of a live run reported while training; the effective attempt's only.
CREATE VIEW curriculum AS
SELECT experiment.name AS experiment,
       run.id AS run,
       run.seed AS seed,
       run_job.step AS step,      -- id in the recipe
       job.id AS job,
       job.diverged AS diverged,  -- 1: training met NaN or a bound; numbers up to there
       metric.name AS metric,     -- "loss", "lr"...
       metric.step AS at_step,    -- training step
       metric.value AS value
FROM run_job
JOIN run ON run.id = run_job.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN job ON job.id = run_job.job
JOIN metric ON metric.attempt = job.attempt;
