SELECT * FROM queue_worker.alerts_open
