SELECT due_at, state
FROM queue_worker.decide_ticks(
    %(job)s, %(run_for)s::timestamptz[], %(missed)s::timestamptz[], %(worker_id)s,
    %(missed_since)s::timestamptz
)
