UPDATE queue_worker.job SET schedule_since = schedule_since - %(by)s::interval
