-- From now on the days before the cutoff are final: the aggregates never count one of which events
-- are gone. Called with the watermark locked, after all events that there are were counted.
UPDATE content_pipeline.aggregation_watermark
SET events_kept_from = greatest(events_kept_from, (%(cutoff)s AT TIME ZONE 'UTC')::date)
