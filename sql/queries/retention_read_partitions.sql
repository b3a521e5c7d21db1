-- Of the partitions of a step, those that are still there and of days that are final.
SELECT p.partition::text
FROM queue_worker.retention_step AS s
CROSS JOIN content_pipeline.aggregation_watermark AS w
JOIN content_pipeline.event_partitions AS p
    ON p.partition::text = ANY (s.partitions)
    AND p.upper_bound <= w.events_kept_from::timestamp AT TIME ZONE 'UTC'
WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
ORDER BY p.upper_bound
