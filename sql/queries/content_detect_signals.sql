-- Compare the last 7 full days of every content with the 28 before, and keep what got worse.
-- Running it again for the same day leaves the same rows; a signal that late events have undone is
-- withdrawn. The thresholds are parameters: signal_generator names and explains them.
WITH bounds AS (
    SELECT today - 35 AS baseline_start, today - 7 AS window_start, today - 1 AS window_end
      FROM (SELECT coalesce(%(as_of)s, (now() AT TIME ZONE 'UTC')::date) AS today) AS clock
), total AS (
    SELECT content_id,
           day >= window_start AS is_window,
           sum(learners) AS learners,
           sum(learners * learners) AS learner_squares,
           nullif(sum(views), 0) AS views,
           sum(least(completions, views)) AS completions,
           sum(least(drop_offs, views)) AS drop_offs,
           nullif(sum(scores), 0) AS scores,
           sum(score_sum) AS score_sum,
           sum(score_squares) AS score_squares
      FROM content_pipeline.analytics_daily_aggregate, bounds
     WHERE day BETWEEN baseline_start AND window_end
       AND deleted_at IS NULL
     GROUP BY content_id, is_window
), period AS (
    SELECT total.*,
           learners / 28 AS daily_learners,
           (learner_squares - learners * learners / 28) / 27 AS daily_variance,
           completions / views AS completion_rate,
           drop_offs / views AS drop_off_rate,
           score_sum / scores AS mean_score,
           greatest(0, (score_squares - score_sum * score_sum / scores)
                       / nullif(scores - 1, 0)) AS score_variance
      FROM total
), measure AS (
    SELECT b.content_id, m.*
      FROM period AS b
      LEFT JOIN period AS w ON w.content_id = b.content_id AND w.is_window
      CROSS JOIN LATERAL (SELECT coalesce(w.learners, 0) / 7 AS daily_learners) AS now
      CROSS JOIN LATERAL (VALUES
          -- From day to day learners scatter at least as pure chance makes them.
          ('falling_engagement'::content_pipeline.signal_kind, -1,
           now.daily_learners, b.daily_learners,
           (now.daily_learners - b.daily_learners)
           / sqrt(greatest(b.daily_variance, b.daily_learners) * (1 / 7.0 + 1 / 28.0)),
           coalesce(w.learners, 0), b.learners,
           0, %(least_learners)s, %(least_engagement_fall)s * b.daily_learners),
          ('falling_completion', -1,
           w.completion_rate, b.completion_rate,
           content_pipeline.rate_z_score(w.completions, w.views, b.completions, b.views),
           w.views, b.views,
           %(least_window_views)s, %(least_baseline_views)s,
           %(least_completion_fall)s * b.completion_rate),
          ('unusual_drop_off', 1,
           w.drop_off_rate, b.drop_off_rate,
           content_pipeline.rate_z_score(w.drop_offs, w.views, b.drop_offs, b.views),
           w.views, b.views,
           %(least_window_views)s, %(least_baseline_views)s, %(least_drop_off_rise)s),
          -- A few scores can be close together by chance, so they scatter at least as before.
          ('falling_score', -1,
           w.mean_score, b.mean_score,
           (w.mean_score - b.mean_score)
           / nullif(sqrt(greatest(w.score_variance, b.score_variance) / w.scores
                         + b.score_variance / b.scores), 0),
           w.scores, b.scores,
           %(least_window_scores)s, %(least_baseline_scores)s,
           %(least_score_fall)s * abs(b.mean_score))
      ) AS m (kind, worse, observed, baseline, z_score, observed_samples, baseline_samples,
              least_observed_samples, least_baseline_samples, least_change)
     WHERE NOT b.is_window
), found AS (
    SELECT content_id, kind, window_start, window_end,
           round(observed, 4) AS observed,
           round(baseline, 4) AS baseline,
           round(worse * z_score, 2) AS z_score,
           observed_samples, baseline_samples
      FROM measure, bounds
     WHERE observed_samples >= least_observed_samples
       AND baseline_samples >= least_baseline_samples
       AND worse * (observed - baseline) > 0
       AND worse * (observed - baseline) >= least_change
       AND (z_score IS NULL OR worse * z_score >= %(least_z_score)s)
), withdrawn AS (
    UPDATE content_pipeline.analytics_signal AS s
       SET withdrawn_at = clock_timestamp()
      FROM bounds
     WHERE s.window_end = bounds.window_end
       AND s.withdrawn_at IS NULL
       AND NOT EXISTS (
           SELECT FROM found WHERE found.content_id = s.content_id AND found.kind = s.kind)
)
INSERT INTO content_pipeline.analytics_signal AS old (
    content_id, kind, window_start, window_end, observed, baseline, z_score,
    observed_samples, baseline_samples)
SELECT * FROM found
    ON CONFLICT (content_id, kind, window_end) DO UPDATE
   SET observed = excluded.observed,
       baseline = excluded.baseline,
       z_score = excluded.z_score,
       observed_samples = excluded.observed_samples,
       baseline_samples = excluded.baseline_samples,
       withdrawn_at = NULL
 WHERE (old.observed, old.baseline, old.z_score, old.observed_samples, old.baseline_samples,
        old.withdrawn_at)
       IS DISTINCT FROM
       (excluded.observed, excluded.baseline, excluded.z_score, excluded.observed_samples,
        excluded.baseline_samples, NULL)
