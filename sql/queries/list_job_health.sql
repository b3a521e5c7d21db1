SELECT * FROM queue_worker.job_health ORDER BY job
