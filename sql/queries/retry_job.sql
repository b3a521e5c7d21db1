SELECT queue_worker.retry_job(
    %(queue_job_id)s::bigint, %(actor)s, %(reason)s, %(although_succeeded)s
) AS run_id
