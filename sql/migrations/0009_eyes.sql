-- Why: SQL can't read a cron expression, so the workers say when each job is due next. From that
-- psql, a probe and a page see that a job is overdue although no worker is left to say so.
-- Breaks older workers: no. They leave the column as it is; a job that only they know has none.
-- Way back: drop the view queue_worker.overdue and the column.

ALTER TABLE queue_worker.job ADD COLUMN next_due_at timestamptz;

COMMENT ON COLUMN queue_worker.job.next_due_at IS
    'The tick of its schedule that comes next, kept by every worker''s scheduler; null if it is never due by itself, or no worker has said yet. In the past, nobody was there to decide that tick.';
