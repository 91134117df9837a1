-- SPDX-License-Identifier: Apache-2.0
-- 0007_labels.sql - what searches share. For people: docs/tables.md.

-- Families with the same evaluation try paths on the same model, examples and prompts: what one found is a memo for the
-- others, whatever their method, seed and number of simulations. NULL: not known (an older plan, or no search).
ALTER TABLE family ADD COLUMN evaluation BLOB CHECK (evaluation IS NULL OR length(evaluation) = 32);
CREATE INDEX family_evaluation ON family (evaluation) WHERE evaluation IS NOT NULL;

-- Of evaluations, those that were answered by what an earlier search had found. A cost: differs from one attempt to the next.
ALTER TABLE label ADD COLUMN hinted INTEGER NOT NULL DEFAULT 0;

DROP VIEW routing;
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
       label.attempt AS attempt,
       label.hinted AS hinted,             -- of evaluations, those that an earlier search had made
       1 - 1.0 * label.layer_rows / nullif(label.layer_rows_whole, 0) AS saved, -- share of layer applications
       label.wall_us AS wall_us
FROM run_family
JOIN run ON run.id = run_family.run AND run.superseded = 0
JOIN experiment ON experiment.id = run.experiment
JOIN family ON family.id = run_family.family
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
JOIN example ON example.id = label.example;
