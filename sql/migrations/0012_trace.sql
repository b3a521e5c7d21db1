-- Why: the trace in which a job was enqueued travels with it, so that its run stands in the same one.
-- Breaks older workers: no. They leave it alone.
-- Way back: DROP the column queue_worker_trace.

ALTER TABLE procrastinate_jobs ADD COLUMN queue_worker_trace jsonb;

COMMENT ON COLUMN procrastinate_jobs.queue_worker_trace IS
    'The span that enqueued the job, as the headers of W3C Trace Context; null where nothing is traced.';
