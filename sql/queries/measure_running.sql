-- How many runs of each job are claimed now; 0 for a job without one.
SELECT known.name, coalesce(held.runs, 0)
FROM queue_worker.job AS known
LEFT JOIN (
    SELECT j.task_name, count(*) AS runs
    FROM procrastinate_jobs AS j
    WHERE j.worker_id IS NOT NULL AND j.status = 'doing'
    GROUP BY j.task_name
) AS held ON held.task_name = known.name
