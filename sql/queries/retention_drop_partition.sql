-- Drop one partition of a step, and record it. Its rows were counted a moment ago, and nothing was
-- added to them since: an event that the plan has not counted keeps the partition.
UPDATE queue_worker.retention_step AS s
SET removed = least(s.rows, s.removed + %(rows)s),
    batches = s.batches + 1
WHERE s.plan_id = %(plan_id)s
    AND s.policy = %(policy)s
    AND content_pipeline.drop_event_partition(%(partition)s::text::regclass, s.seen)
RETURNING s.removed, s.rows
