SELECT * FROM queue_worker.running ORDER BY claimed_at
