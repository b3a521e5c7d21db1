SELECT queue_worker.retry_job(
    %(queue_job_id)s, %(actor)s, %(reason)s, %(although_succeeded)s
) AS run_id
