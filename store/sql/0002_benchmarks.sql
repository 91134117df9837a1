-- SPDX-License-Identifier: Apache-2.0
-- 0002_benchmarks.sql - metrics of examples and of whole benchmarks. For people: docs/tables.md.

ALTER TABLE example ADD COLUMN subset TEXT NOT NULL DEFAULT ''; -- part of the benchmark: MMLU's subject...

ALTER TABLE score ADD COLUMN metrics TEXT;       -- JSON object: metrics but acc and acc_norm; NULL when there are none
ALTER TABLE score ADD COLUMN pick INTEGER;       -- class chosen; NULL: none
ALTER TABLE score ADD COLUMN gold_class INTEGER; -- right class; NULL: none or several
ALTER TABLE score ADD COLUMN whole_set INTEGER NOT NULL DEFAULT 0; -- bits: metrics of the whole set (1 MCC, 2 F1, 4 macro F1, 8 SQuAD's best)
ALTER TABLE score ADD COLUMN truncated INTEGER NOT NULL DEFAULT 0; -- prompt tokens cut off on the left
ALTER TABLE score ADD COLUMN generated INTEGER NOT NULL DEFAULT 0; -- tokens generated

-- The first COMPLETE scores of the family are there. Moves on when a shard is done, never back.
ALTER TABLE family ADD COLUMN complete INTEGER NOT NULL DEFAULT 0;

-- A metric over the first EXAMPLES scores of a family, written with the result that makes them complete.
CREATE TABLE summary (
    id            INTEGER PRIMARY KEY,
    family        INTEGER NOT NULL REFERENCES family (id),
    examples      INTEGER NOT NULL,
    metric        TEXT NOT NULL,
    value         REAL,             -- shares are 0..1; NULL: it applies to no example
    stderr        REAL,             -- as lm-evaluation-harness computes it; NULL: none
    stderr_pooled REAL,             -- the same pooled over the subsets; NULL: none
    n             INTEGER NOT NULL, -- examples that it rests on
    truncated     INTEGER NOT NULL, -- of the EXAMPLES: prompt cut on the left
    UNIQUE (family, examples, metric)
) STRICT;

DROP VIEW accuracy;

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
       avg(score.layers) AS layers,              -- mean layer applications per token row
       sum(score.truncated > 0) AS truncated,    -- examples whose prompt was cut on the left
       sum(score.tokens) AS tokens,              -- token rows
       sum(score.generated) AS generated         -- tokens generated
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN score ON score.family = run_family.family AND score.idx < run_family.examples
GROUP BY run.id, run_family.step, family.id
UNION ALL
SELECT experiment.name, run.id, run.seed, run_family.step, 'base', family.task, family.level, family.split,
       count(*), sum(label.base_correct), avg(label.base_correct), NULL, avg(label.layers), NULL, NULL, NULL
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
GROUP BY run.id, run_family.step, family.id
UNION ALL
SELECT experiment.name, run.id, run.seed, run_family.step, 'oracle', family.task, family.level, family.split,
       count(*), sum(label.has_label), avg(label.has_label), NULL, avg(label.label_layers), NULL, NULL, NULL
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
GROUP BY run.id, run_family.step, family.id;

-- One row per metric of a family that a live run reads and that is complete.
CREATE VIEW metric_summary AS
SELECT experiment.name AS experiment,
       run.id AS run,
       run.seed AS seed,
       run_family.step AS step,   -- id in the recipe
       family.task AS task,
       family.level AS level,
       family.split AS split,
       summary.metric AS metric,  -- "acc", "acc_norm", "f1"...
       summary.value AS value,    -- shares are 0..1
       summary.stderr AS stderr,  -- as lm-evaluation-harness computes it; NULL: none
       summary.stderr_pooled AS stderr_pooled, -- the same pooled over the benchmark's subsets, for those that it treats as a group
       summary.n AS n,            -- examples that it rests on
       summary.truncated AS truncated -- prompts cut on the left
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN summary ON summary.family = run_family.family AND summary.examples = run_family.examples;

-- One row per part of a benchmark (MMLU's subject...) that a live run's evaluate step reads.
CREATE VIEW subset_accuracy AS
SELECT experiment.name AS experiment,
       run.id AS run,
       run.seed AS seed,
       run_family.step AS step,
       family.task AS task,
       family.level AS level,
       family.split AS split,
       family.id AS family,       -- row in the table family
       example.subset AS subset,
       count(*) AS n,
       sum(score.correct) AS correct,
       avg(score.correct) AS accuracy,           -- 0..1
       avg(score.correct_norm) AS accuracy_norm, -- 0..1
       CASE WHEN count(*) > 1 THEN sqrt(avg(score.correct) * (1 - avg(score.correct)) / (count(*) - 1)) END AS stderr
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN score ON score.family = run_family.family AND score.idx < run_family.examples
JOIN example ON example.id = score.example AND example.subset <> ''
GROUP BY run.id, run_family.step, family.id, example.subset;
