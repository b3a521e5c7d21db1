-- Why: when a job last failed is asked every few seconds by whoever collects metrics. An index of the
-- failures alone: a run that succeeds does not pay for it.
-- Breaks older workers: no. On a large ledger it holds back closes while it reads it once.
-- Way back: DROP INDEX queue_worker.run_job_failed_idx.

CREATE INDEX run_job_failed_idx ON queue_worker.run (job, finished_at DESC)
    WHERE outcome IN ('failed', 'timed_out', 'lost');
