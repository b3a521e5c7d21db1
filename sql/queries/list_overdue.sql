SELECT * FROM queue_worker.overdue ORDER BY due_at
