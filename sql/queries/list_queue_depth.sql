SELECT * FROM queue_worker.queue_depth ORDER BY queue
