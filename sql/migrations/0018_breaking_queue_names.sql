-- Why: procrastinate's index of queue names got an entry for each claim and for each close that nobody
-- asks for: a queue is looked for among what waits.
-- Breaks older workers: yes. They look for the names of queues in an index that then holds only what
-- waits, so that each of their claims reads the whole table. On a large table it holds a lock for as
-- long as it reads the table once; run it when the queue may stand still for that time.
-- Way back: make the index as procrastinate's schema has it.

DROP INDEX procrastinate_jobs_queue_name_idx_v1;
CREATE INDEX procrastinate_jobs_queue_name_idx_v1
    ON procrastinate_jobs (queue_name) WHERE status = 'todo';
