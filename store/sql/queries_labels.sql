-- SPDX-License-Identifier: Apache-2.0
-- queries_labels.sql - label sets, hints, and labels for people.

-- Of any job that writes the family: what it reads, and its parameters.
-- name: family_model
SELECT coalesce(outside.digest, made.digest), job.params_text, coalesce(outside.folder, made.folder), task.digest,
       task.folder
FROM job_family
JOIN job ON job.id = job_family.job AND job.kind IN ('search', 'evaluate')
JOIN job_input ON job_input.job = job.id AND job_input.name = 'model'
LEFT JOIN blob AS outside ON outside.id = job_input.blob
LEFT JOIN job_output ON job_output.job = job_input.producer AND job_output.name = job_input.output
LEFT JOIN blob AS made ON made.id = job_output.blob
LEFT JOIN job_input AS file ON file.job = job.id AND file.name = 'task_file'
LEFT JOIN blob AS task ON task.id = file.blob
WHERE job_family.family = :family AND coalesce(outside.digest, made.digest) IS NOT NULL
ORDER BY job.id LIMIT 1

-- name: collect
SELECT example.number, label.idx, label.base_correct, label.routing, label.simulations, label.evaluations, label.id,
       label.layers
FROM label JOIN example ON example.id = label.example
WHERE label.family = :family AND label.idx < :examples

-- name: collect_scores
SELECT example.number, score.idx, score.correct, score.routing, 0, 1, 0, length(score.routing)
FROM score JOIN example ON example.id = score.example
WHERE score.family = :family AND score.idx < :examples

-- name: collect_paths
SELECT routing, reward FROM search_log WHERE label = :label ORDER BY place

-- Is anything known of these examples? (The family of the job that asks is left out.)
-- name: hint_known
SELECT EXISTS (SELECT 1 FROM family JOIN family AS other ON other.evaluation = family.evaluation AND other.id <> family.id
               JOIN label ON label.family = other.id AND label.idx >= :range_begin AND label.idx < :range_end
               WHERE family.id = :family)

-- Their labels of examples that this family has none of yet, by example.
-- name: hint_labels
SELECT label.id, example.number
FROM family JOIN family AS other ON other.evaluation = family.evaluation AND other.id <> family.id
JOIN label ON label.family = other.id AND label.idx >= :range_begin AND label.idx < :range_end
JOIN example ON example.id = label.example
WHERE family.id = :family
  AND NOT EXISTS (SELECT 1 FROM label AS own WHERE own.family = family.id AND own.idx = label.idx)
ORDER BY label.idx, example.number, label.id

-- name: hint_paths
SELECT routing, reward, answer FROM search_log WHERE label = :label

-- name: labels
SELECT DISTINCT experiment.name, run_family.step, min(run.id), min(run.seed), family.task, family.level, family.split,
       label.idx, example.number, example.source_id, example.question, example.gold, label.base_correct,
       label.has_label, label.routing, label.layers, label.label_layers, label.simulations, label.evaluations,
       label.base_answer, label.label_answer, label.hinted, label.layer_rows, label.layer_rows_whole, label.wall_us,
       label.id, family.id
FROM experiment
JOIN run ON run.experiment = experiment.id AND run.superseded = 0
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family
JOIN label ON label.family = run_family.family AND label.idx < run_family.examples
JOIN example ON example.id = label.example
WHERE (:experiment = 0 OR experiment.id = :experiment) AND (:step IS NULL OR run_family.step = :step)
  AND (:run = 0 OR run.id = :run) AND (:split IS NULL OR family.split = :split)
  AND (:task IS NULL OR family.task = :task) AND (:level < 0 OR family.level = :level)
  AND (:example = 0 OR example.number = :example)
GROUP BY experiment.id, run_family.step, family.id, label.id
ORDER BY experiment.name, run_family.step, family.task, family.level, family.split, family.id, label.idx

-- name: label_paths
SELECT routing, reward, answer, visits FROM search_log WHERE label = :label ORDER BY place
