UPDATE queue_worker.tick
SET due_at = due_at - %(by)s::interval, missed_since = missed_since - %(by)s::interval
