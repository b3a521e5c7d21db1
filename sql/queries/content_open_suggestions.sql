-- One open suggestion for each content and kind with signals that nobody has decided on: those
-- whose whole window lies after the last decision, so that no decline is suggested twice.
INSERT INTO content_pipeline.content_suggestion (content_id, kind, summary, evidence)
SELECT s.content_id, s.kind,
       replace(s.kind::text, '_', ' ') || ': '
           || (array_agg(trim_scale(s.observed) ORDER BY s.window_end DESC))[1]
           || ' in the 7 days up to ' || max(s.window_end) || ', '
           || (array_agg(trim_scale(s.baseline) ORDER BY s.window_end DESC))[1]
           || ' in the 28 days before',
       jsonb_agg(to_jsonb(s) - '{content_id,kind,withdrawn_at,deleted_at}'::text[]
                 ORDER BY s.window_end)
  FROM content_pipeline.analytics_signal AS s
 WHERE s.withdrawn_at IS NULL
   AND s.deleted_at IS NULL
   AND NOT EXISTS (
       SELECT FROM content_pipeline.content_suggestion AS c
        WHERE c.content_id = s.content_id
          AND c.kind = s.kind
          AND (c.state = 'open' OR (c.decided_at AT TIME ZONE 'UTC')::date >= s.window_start))
 GROUP BY s.content_id, s.kind
    ON CONFLICT (content_id, kind) WHERE state = 'open' DO NOTHING
