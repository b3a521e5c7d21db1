UPDATE queue_worker.alert SET window_ends_at = window_ends_at - %(by)s::interval
