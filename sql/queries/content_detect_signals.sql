-- Compare the last 7 full days of every content with the 28 before, and keep what got worse.
-- Running it again for the same day leaves the same rows; a signal that late events have undone is
-- withdrawn. The thresholds are parameters: signal_generator names and explains them.
WITH bounds AS (
    SELECT today - 35 AS baseline_start, today - 7 AS window_start, today - 1 AS window_end
      FROM (SELECT coalesce(%(as_of)s, (now() AT TIME ZONE 'UTC')::date) AS today)
), period AS (
    SELECT content_id,
           day >= window_start AS is_window,
           sum(learners) AS learners,
           sum(learners * learners) AS learner_squares,
           sum(views) AS views,
           sum(least(completions, views)) AS completions,
           sum(least(drop_offs, views)) AS drop_offs,
           sum(scores) AS scores,
           sum(score_sum) AS score_sum,
           sum(score_squares) AS score_squares
      FROM content_pipeline.analytics_daily_aggregate, bounds
     WHERE day BETWEEN baseline_start AND window_end
       AND deleted_at IS NULL
     GROUP BY content_id, is_window
), measure AS (
    SELECT b.content_id, m.*
      FROM period AS b
      LEFT JOIN period AS w ON w.content_id = b.content_id AND w.is_window
      CROSS JOIN LATERAL (VALUES
          -- Learners a day. Their spread from day to day is at least that of pure chance.
          ('falling_engagement'::content_pipeline.signal_kind,
           coalesce(w.learners, 0) / 7, b.learners / 28, -1,
           sqrt(greatest((b.learner_squares - b.learners * b.learners / 28) / 27, b.learners / 28)
                * (1 / 7.0 + 1 / 28.0)),
           coalesce(w.learners, 0), b.learners,
           0, %(least_learners)s, %(least_engagement_fall)s * b.learners / 28),
          -- The share of views that were completed, and that were dropped.
          ('falling_completion',
           w.completions / nullif(w.views, 0), b.completions / nullif(b.views, 0), -1,
           content_pipeline.rate_error(w.completions, w.views, b.completions, b.views),
           w.views, b.views,
           %(least_window_views)s, %(least_baseline_views)s,
           %(least_completion_fall)s * b.completions / nullif(b.views, 0)),
          ('unusual_drop_off',
           w.drop_offs / nullif(w.views, 0), b.drop_offs / nullif(b.views, 0), 1,
           content_pipeline.rate_error(w.drop_offs, w.views, b.drop_offs, b.views),
           w.views, b.views,
           %(least_window_views)s, %(least_baseline_views)s, %(least_drop_off_rise)s),
          -- The mean score, by Welch's test.
          ('falling_score',
           w.score_sum / nullif(w.scores, 0), b.score_sum / nullif(b.scores, 0), -1,
           sqrt(greatest(0, (w.score_squares - w.score_sum * w.score_sum / nullif(w.scores, 0))
                            / nullif((w.scores - 1) * w.scores, 0)
                          + (b.score_squares - b.score_sum * b.score_sum / nullif(b.scores, 0))
                            / nullif((b.scores - 1) * b.scores, 0))),
           w.scores, b.scores,
           %(least_window_scores)s, %(least_baseline_scores)s,
           %(least_score_fall)s * abs(b.score_sum / nullif(b.scores, 0)))
      ) AS m (kind, observed, baseline, worse, standard_error, observed_samples, baseline_samples,
              least_observed_samples, least_baseline_samples, least_change)
     WHERE NOT b.is_window
), found AS (
    SELECT content_id, kind, window_start, window_end,
           round(observed, 4) AS observed,
           round(baseline, 4) AS baseline,
           round(worse * (observed - baseline) / nullif(standard_error, 0), 2) AS z_score,
           observed_samples, baseline_samples
      FROM measure, bounds
     WHERE observed_samples >= least_observed_samples
       AND baseline_samples >= least_baseline_samples
       AND worse * (observed - baseline) > 0
       AND worse * (observed - baseline) >= least_change
       AND worse * (observed - baseline) >= %(least_z_score)s * standard_error
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
