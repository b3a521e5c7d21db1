-- From now on the days before the cutoff are final, so that the aggregates never count one of which
-- events are gone; but no day, and none after it, that has an event still to be counted. Called with
-- the watermark locked.
WITH uncounted AS (
    SELECT (min(e.occurred_at) AT TIME ZONE 'UTC')::date AS day
    FROM content_pipeline.analytics_event AS e, content_pipeline.aggregation_watermark AS w
    WHERE e.transaction_id >= pg_snapshot_xmin(%(seen)s::text::pg_snapshot)
        AND NOT pg_visible_in_snapshot(e.transaction_id, %(seen)s::text::pg_snapshot)
        AND e.occurred_at < %(cutoff)s
        AND (w.events_kept_from IS NULL
             OR e.occurred_at >= w.events_kept_from::timestamp AT TIME ZONE 'UTC')
)
UPDATE content_pipeline.aggregation_watermark AS w
SET events_kept_from = greatest(
    w.events_kept_from, least((%(cutoff)s AT TIME ZONE 'UTC')::date, uncounted.day))
FROM uncounted
RETURNING
    w.events_kept_from::timestamp AT TIME ZONE 'UTC' < %(cutoff)s AS is_held_back,
    w.advanced_at < clock_timestamp() - interval '1 day' AS is_stale
