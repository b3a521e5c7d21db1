-- Why: a job that was taken out of the code can be retired, and is then due no more.
-- Breaks older workers: no. They know nothing of it; one that declares a retired job again leaves the
-- mark there, and the job is due again all the same.
-- Way back: drop the column.

ALTER TABLE queue_worker.job ADD COLUMN retired_at timestamptz;

COMMENT ON COLUMN queue_worker.job.retired_at IS
    'When an operator said that no worker will know it any more; null again once one declares it.';
