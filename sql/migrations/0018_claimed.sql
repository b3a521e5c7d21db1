-- Why: procrastinate has an index over all that waits or is claimed, and a planner with statistics from a
-- moment when nothing was claimed may take it for the jobs of one worker. Now it has only what needs a lock,
-- which is what procrastinate asks it for, and a small one has all that is claimed, with or without a
-- worker. Beside that, there is an index less to write for each job.
-- Breaks older workers: no.
-- Way back: make procrastinate_jobs_id_lock_idx_v1 and idx_procrastinate_jobs_worker_not_null as
-- procrastinate's schema has them, and queue_worker_jobs_ownerless_idx as in 0006.

DROP INDEX procrastinate_jobs_id_lock_idx_v1;
CREATE INDEX procrastinate_jobs_id_lock_idx_v1
    ON procrastinate_jobs (id, lock) WHERE status IN ('todo', 'doing') AND lock IS NOT NULL;

DROP INDEX idx_procrastinate_jobs_worker_not_null;
CREATE INDEX idx_procrastinate_jobs_worker_not_null
    ON procrastinate_jobs (worker_id) WHERE status = 'doing';
DROP INDEX queue_worker_jobs_ownerless_idx;
