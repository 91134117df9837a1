-- SPDX-License-Identifier: Apache-2.0
-- Named statements: scale: metrics in chunks, tallies and vectors of complete families, summaries of runs. Rules as in queries.sql.

-- Series of numbers per step.

-- name: series_get
SELECT id, n, finite, first_step, last_step, last, min, max, sum, head, closed
FROM series WHERE attempt = :attempt AND name = :name

-- name: series_put
INSERT INTO series (attempt, name, n, finite, first_step, last_step, sum, head, closed)
VALUES (:attempt, :name, 0, 0, 0, 0, 0.0, 0.0, 0) RETURNING id

-- name: series_set
UPDATE series SET n = :n, finite = :finite, first_step = :first_step, last_step = :last_step, last = :last, min = :min,
                  max = :max, sum = :sum, head = :head, closed = :closed
WHERE id = :id

-- name: chunk_last
SELECT id, first_step, last_step, stride, n, finite, min, max, sum, steps, points
FROM metric_chunk WHERE series = :series AND level = 0 ORDER BY first_step DESC LIMIT 1

-- name: chunk_at
SELECT id, first_step, last_step, stride, n, finite, min, max, sum, steps, points
FROM metric_chunk WHERE series = :series AND level = 0 AND first_step <= :step ORDER BY first_step DESC LIMIT 1

-- name: chunk_first
SELECT id, first_step, last_step, stride, n, finite, min, max, sum, steps, points
FROM metric_chunk WHERE series = :series AND level = 0 ORDER BY first_step LIMIT 1

-- name: chunk_put
INSERT INTO metric_chunk (series, level, first_step, last_step, stride, n, finite, min, max, sum, steps, points)
VALUES (:series, :level, :first_step, :last_step, :stride, :n, :finite, :min, :max, :sum, :steps, :points)

-- name: chunk_set
UPDATE metric_chunk SET first_step = :first_step, last_step = :last_step, stride = :stride, n = :n, finite = :finite,
                        min = :min, max = :max, sum = :sum, steps = :steps, points = :points
WHERE id = :id

-- name: chunk_over
SELECT id, first_step, last_step FROM metric_chunk
WHERE series = :series AND level = :level AND first_step <= :step ORDER BY first_step DESC LIMIT 1

-- name: chunk_next
SELECT coalesce(min(first_step), -1) FROM metric_chunk WHERE series = :series AND level = 0 AND first_step > :step

-- name: chunk_top
SELECT coalesce(max(last_step), -1) FROM metric_chunk
WHERE series = :series AND level = :level
  AND first_step = (SELECT max(first_step) FROM metric_chunk WHERE series = :series AND level = :level)

-- name: chunks_within
SELECT first_step, last_step, n, finite, min, max, sum FROM metric_chunk
WHERE series = :series AND level = :level AND first_step BETWEEN :from AND :to ORDER BY first_step

-- name: chunks_points
SELECT first_step, last_step, stride, n, steps, points FROM metric_chunk
WHERE series = :series AND level = 0 AND first_step BETWEEN :from AND :to ORDER BY first_step

-- name: series_size
SELECT n, first_step, last_step FROM series WHERE id = :id

-- name: run_metrics
SELECT run.id, run.seed, run_job.step, job.id, series.attempt, series.id, series.name, series.n, series.finite,
       series.first_step, series.last_step, series.last, series.min, series.max, series.sum
FROM run
JOIN run_job ON run_job.run = run.id
JOIN job ON job.id = run_job.job
JOIN series ON series.attempt = job.attempt
WHERE run.experiment = :experiment AND run.superseded = 0 AND (:step IS NULL OR run_job.step = :step)
  AND (:metric IS NULL OR series.name = :metric)
  AND NOT EXISTS (SELECT 1 FROM gate JOIN candidate ON candidate.selector = gate.selector AND candidate.run = gate.run
                  WHERE gate.run = run_job.run AND gate.job = run_job.job AND candidate.chosen = 0)
ORDER BY run.id, run_job.step, job.id, series.name

-- name: claims_waiting
SELECT run.id, run_job.step, job.id
FROM run
JOIN run_job ON run_job.run = run.id AND run_job.live = 1
JOIN job ON job.id = run_job.job AND job.state <> 'DONE'
WHERE run.experiment = :experiment AND run.superseded = 0
ORDER BY run.id, run_job.step, job.id

-- Tallies and vectors.

-- name: tally_known
SELECT EXISTS (SELECT 1 FROM tally WHERE family = :family AND examples = :examples AND part = 0)

-- name: tally_put
INSERT INTO tally (family, examples, part, subset, parts, search, n, correct, correct_norm, labelled, preserved,
                   improved, layers_label, layers_all, layers_base, tokens, generated, truncated, repeats)
VALUES (:family, :examples, :part, :subset, :parts, :search, :n, :correct, :correct_norm, :labelled, :preserved,
        :improved, :layers_label, :layers_all, :layers_base, :tokens, :generated, :truncated, :repeats)
ON CONFLICT (family, examples, part) DO NOTHING

-- name: tally_repeat
UPDATE tally SET repeats = repeats + 1
WHERE family = :family AND examples > :idx
  AND (part = 0 OR subset = (SELECT subset FROM example WHERE id = :example))

-- name: tally_parts
SELECT n, correct, correct_norm, labelled, preserved, improved, layers_label, layers_all, layers_base, repeats,
       truncated, tokens, generated, subset
FROM tally WHERE family = :family AND examples = :examples AND part > 0 ORDER BY subset

-- name: vector_size
SELECT coalesce(max(n), 0) FROM vector WHERE family = :family

-- name: vector_put
INSERT INTO vector (family, metric, n, form, data) VALUES (:family, :metric, :n, :form, :data)
ON CONFLICT (family, metric) DO UPDATE SET n = :n, form = :form, data = :data

-- name: vector_get
SELECT n, form, data FROM vector WHERE family = :family AND metric = :metric

-- name: vector_names
SELECT metric FROM vector WHERE family = :family ORDER BY id

-- name: family_kind
SELECT kind, complete FROM family WHERE id = :family

-- name: family_scores
SELECT score.correct, score.correct_norm, score.metrics, coalesce(score.pick, -1), coalesce(score.gold_class, -1),
       score.whole_set, score.truncated, score.logprob, example.subset, score.layers, score.tokens, score.generated,
       score.repeats, score.idx, score.wall_us, score.routing
FROM score JOIN example ON example.id = score.example
WHERE score.family = :family AND score.idx < :examples ORDER BY score.idx

-- name: family_labels
SELECT label.base_correct, label.has_label, label.label_layers, label.layers, label.repeats, example.subset, label.idx,
       label.evaluations, label.layer_rows, label.wall_us
FROM label JOIN example ON example.id = label.example
WHERE label.family = :family AND label.idx < :examples ORDER BY label.idx

-- name: labels_from
SELECT idx FROM label WHERE family = :family AND idx >= :idx ORDER BY idx

-- name: tallies_due
SELECT DISTINCT examples FROM run_family
WHERE family = :family AND examples > 0 AND examples <= :complete
  AND NOT EXISTS (SELECT 1 FROM tally
                  WHERE tally.family = run_family.family AND tally.examples = run_family.examples AND part = 0)
ORDER BY examples DESC

-- name: families_read
SELECT DISTINCT family FROM run_family ORDER BY family

-- Sums for tables: what is complete comes from tallies, the rest row by row.

-- name: sums
SELECT run.id, run.seed, run_family.step, family.key, family.task, family.level, family.split, run_family.examples,
       family.id, family.kind = 'search', tally.n, tally.correct, tally.correct_norm, tally.labelled, tally.preserved,
       tally.improved, tally.layers_label, tally.layers_all, tally.layers_base, tally.repeats, tally.truncated,
       tally.tokens, tally.generated, tally.parts
FROM run
JOIN run_family ON run_family.run = run.id
JOIN family ON family.id = run_family.family
LEFT JOIN tally ON tally.family = run_family.family AND tally.examples = run_family.examples AND tally.part = 0
WHERE run.experiment = :experiment AND run.superseded = 0
ORDER BY family.kind <> 'search', run.id, run_family.step, family.task, family.level, family.split, family.key

-- name: sums_of_labels
SELECT count(*), coalesce(sum(base_correct), 0), 0, coalesce(sum(has_label), 0),
       coalesce(sum(base_correct AND has_label), 0), coalesce(sum(NOT base_correct AND has_label), 0),
       coalesce(sum(CASE WHEN has_label THEN label_layers END), 0), coalesce(sum(label_layers), 0),
       coalesce(sum(layers), 0), coalesce(sum(repeats), 0), 0, 0, 0, ''
FROM label WHERE family = :family AND idx < :examples

-- name: sums_of_scores
SELECT count(*), coalesce(sum(correct), 0), coalesce(sum(correct_norm), 0), 0, 0, 0, coalesce(sum(layers), 0),
       coalesce(sum(layers), 0), 0, coalesce(sum(repeats), 0), coalesce(sum(truncated > 0), 0),
       coalesce(sum(tokens), 0), coalesce(sum(generated), 0), ''
FROM score WHERE family = :family AND idx < :examples

-- name: subset_sums_of_labels
SELECT count(*), sum(label.base_correct), 0, sum(label.has_label), sum(label.base_correct AND label.has_label),
       sum(NOT label.base_correct AND label.has_label),
       coalesce(sum(CASE WHEN label.has_label THEN label.label_layers END), 0), sum(label.label_layers),
       sum(label.layers), sum(label.repeats), 0, 0, 0, example.subset
FROM label JOIN example ON example.id = label.example
WHERE label.family = :family AND label.idx < :examples
GROUP BY example.subset ORDER BY example.subset

-- name: subset_sums_of_scores
SELECT count(*), sum(score.correct), sum(score.correct_norm), 0, 0, 0, sum(score.layers), sum(score.layers), 0,
       sum(score.repeats), sum(score.truncated > 0), sum(score.tokens), sum(score.generated), example.subset
FROM score JOIN example ON example.id = score.example
WHERE score.family = :family AND score.idx < :examples
GROUP BY example.subset ORDER BY example.subset

-- Runs.

-- name: run_summaries
SELECT run_summary.run, run.seed, run.revision, run.superseded, jobs, waiting, ready, done, failed, skipped, cancelled,
       diverged, wall_ms, accuracy, base, oracle, layers, n, tokens, coalesce(first_ms, 0), coalesce(last_ms, 0)
FROM run_summary JOIN run ON run.id = run_summary.run
WHERE run_summary.experiment = :experiment AND run.superseded <= :superseded ORDER BY run_summary.run

-- name: upgrade_from
SELECT coalesce((SELECT value FROM meta WHERE name = 'upgrade'), 0)

-- name: upgrade_done
DELETE FROM meta WHERE name = 'upgrade'
