SELECT queue_worker.fire_tick(
    %(job)s, %(due_at)s, %(missed)s::timestamptz[], %(late)s, %(worker_id)s
)
