-- Why: when a job last succeeded and last failed is asked every few seconds by whoever collects
-- metrics, and a job that has failed a million times since must not make that a long look.
-- Breaks older workers: no. On a large ledger it holds back closes while it reads it once.
-- Way back: DROP INDEX queue_worker.run_job_outcome_idx.

CREATE INDEX run_job_outcome_idx ON queue_worker.run (job, outcome, finished_at DESC);
