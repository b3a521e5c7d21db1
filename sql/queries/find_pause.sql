-- Who has paused this queued job or its queue; no row if nobody has.
SELECT j.task_name, paused.why
FROM procrastinate_jobs AS j
CROSS JOIN LATERAL queue_worker.find_pause(j.task_name, j.queue_name) AS paused (why)
WHERE j.id = %(queue_job_id)s AND paused.why IS NOT NULL
