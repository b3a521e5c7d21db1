SELECT queue_job_id, lost_run, lost_job AS job, what
FROM queue_worker.requeue_lost(
    %(actor)s, %(reason)s, %(job)s, clock_timestamp() - %(within)s::interval, %(at_most)s, %(dry_run)s
)
