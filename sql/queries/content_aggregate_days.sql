-- Recompute every (content, day) that has an event which the snapshot `seen` does not see.
-- A writer that commits late was still open in that snapshot, so none of its events is ever missed,
-- and nobody waits for it. Transaction ids from the future come from a restored dump; they are
-- taken once, when everything is, and not at every run until the counter has caught up.
WITH new_day AS (
    SELECT DISTINCT e.content_id, (e.occurred_at AT TIME ZONE 'UTC')::date AS day
      FROM content_pipeline.analytics_event AS e
     WHERE e.transaction_id >= pg_snapshot_xmin(%(seen)s::pg_snapshot)
       AND e.transaction_id < CASE WHEN %(seen)s::pg_snapshot::text = '1:1:'
                                   THEN '18446744073709551615'
                                   ELSE pg_snapshot_xmax(pg_current_snapshot()) END
       AND NOT pg_visible_in_snapshot(e.transaction_id, %(seen)s::pg_snapshot)
), aggregate AS (
    SELECT new_day.content_id,
           new_day.day,
           count(*) AS events,
           count(DISTINCT e.learner_id) AS learners,
           coalesce(sum(e.value), 0) AS value_sum,
           count(*) FILTER (WHERE e.event_type = 'view') AS views,
           count(*) FILTER (WHERE e.event_type = 'complete') AS completions,
           count(*) FILTER (WHERE e.event_type = 'score') AS scores,
           coalesce(sum(e.value) FILTER (WHERE e.event_type = 'score'), 0) AS score_sum,
           coalesce(sum(e.value * e.value) FILTER (WHERE e.event_type = 'score'), 0)
               AS score_squares,
           count(*) FILTER (WHERE e.event_type = 'drop_off') AS drop_offs,
           count(*) FILTER (WHERE e.event_type NOT IN ('view', 'complete', 'score', 'drop_off'))
               AS others
      FROM new_day
      -- The day is asked for twice: as an equation, to hash when there are many new days, and as a
      -- range, to look a few up in the index.
      JOIN content_pipeline.analytics_event AS e
        ON e.content_id = new_day.content_id
       AND (e.occurred_at AT TIME ZONE 'UTC')::date = new_day.day
       AND e.occurred_at >= new_day.day::timestamp AT TIME ZONE 'UTC'
       AND e.occurred_at < (new_day.day + 1)::timestamp AT TIME ZONE 'UTC'
     WHERE NOT EXISTS (
         SELECT FROM content_pipeline.aggregation_watermark WHERE new_day.day < events_kept_from)
     GROUP BY new_day.content_id, new_day.day
)
INSERT INTO content_pipeline.analytics_daily_aggregate AS old (
    content_id, day, events, learners, value_sum, views, completions, scores, score_sum,
    score_squares, drop_offs, others)
SELECT * FROM aggregate
    ON CONFLICT (content_id, day) DO UPDATE
   SET events = excluded.events,
       learners = excluded.learners,
       value_sum = excluded.value_sum,
       views = excluded.views,
       completions = excluded.completions,
       scores = excluded.scores,
       score_sum = excluded.score_sum,
       score_squares = excluded.score_squares,
       drop_offs = excluded.drop_offs,
       others = excluded.others,
       computed_at = excluded.computed_at
 WHERE (old.events, old.learners, old.value_sum, old.views, old.completions, old.scores,
        old.score_sum, old.score_squares, old.drop_offs, old.others)
       IS DISTINCT FROM
       (excluded.events, excluded.learners, excluded.value_sum, excluded.views,
        excluded.completions, excluded.scores, excluded.score_sum, excluded.score_squares,
        excluded.drop_offs, excluded.others)
