-- For each run of curriculum/cost the first check on validation problems with at least the base model's accuracy less 1 point and at most
-- 1.1 times the last budget (16 tokens: edit it here), and what training cost up to there. reached = 0: never; the whole cost.
WITH c AS (SELECT * FROM curriculum WHERE experiment = 'curriculum/cost' AND step = 'train'),
v AS (SELECT run, at_step,
             max(CASE metric WHEN 'validation_accuracy' THEN value END) AS accuracy,
             max(CASE metric WHEN 'validation_tokens' THEN value END) AS tokens
      FROM c WHERE metric IN ('validation_accuracy', 'validation_tokens') GROUP BY run, at_step),
hit AS (SELECT v.run, min(v.at_step) AS at_step FROM v JOIN v AS base ON base.run = v.run AND base.at_step = 0
        WHERE v.at_step > 0 AND v.accuracy >= base.accuracy - 0.01 AND v.tokens <= 1.1 * 16 GROUP BY v.run),
ends AS (SELECT run, max(at_step) AS last FROM c GROUP BY run),
upto AS (SELECT e.run, coalesce(h.at_step, e.last) AS at_step, h.at_step IS NOT NULL AS reached
         FROM ends AS e LEFT JOIN hit AS h USING (run)),
-- core_seconds begins anew in every stage (job), flops and tokens do not.
spent AS (SELECT c.run, c.job, max(c.value) AS seconds FROM c JOIN upto AS u ON u.run = c.run
          WHERE c.metric = 'core_seconds' AND c.at_step <= u.at_step GROUP BY c.run, c.job)
SELECT r.run, r.seed, r.params, u.reached, u.at_step AS updates, v.accuracy, v.tokens,
       (SELECT max(value) FROM c WHERE c.run = u.run AND metric = 'flops' AND c.at_step <= u.at_step) AS flops,
       (SELECT max(value) FROM c WHERE c.run = u.run AND metric = 'generated_tokens' AND c.at_step <= u.at_step) AS generated,
       (SELECT round(sum(seconds), 1) FROM spent WHERE spent.run = u.run) AS core_seconds
FROM upto AS u JOIN run_result AS r ON r.run = u.run AND r.experiment = 'curriculum/cost'
LEFT JOIN v ON v.run = u.run AND v.at_step = u.at_step
ORDER BY r.params, r.seed
