-- Why: two of procrastinate's indexes got an entry for each claim, and one of them for each close, that
-- nobody asks for: a queue is looked for among what waits, the order of a lock where there is a lock.
-- Breaks older workers: yes. They look for the names of queues in an index that then holds only what
-- waits, so that each of their claims reads the whole table. On a large table it holds a lock for as
-- long as it reads the table once for each index; run it when the queue may stand still for that time.
-- Way back: make the two indexes as procrastinate's schema has them.

DROP INDEX procrastinate_jobs_queue_name_idx_v1;
CREATE INDEX procrastinate_jobs_queue_name_idx_v1
    ON procrastinate_jobs (queue_name) WHERE status = 'todo';

DROP INDEX procrastinate_jobs_id_lock_idx_v1;
CREATE INDEX procrastinate_jobs_id_lock_idx_v1
    ON procrastinate_jobs (id, lock) WHERE status IN ('todo', 'doing') AND lock IS NOT NULL;
