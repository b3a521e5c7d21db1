DROP VIEW IF EXISTS queue_worker.queue_depth;

CREATE VIEW queue_worker.queue_depth AS
SELECT
    waiting.queue_name AS queue,
    count(*) FILTER (WHERE waiting.scheduled_at IS NULL OR waiting.scheduled_at <= now()) AS due,
    count(*) FILTER (WHERE waiting.scheduled_at > now()) AS later,
    clock_timestamp() - min(coalesce(waiting.scheduled_at, waiting.queue_worker_enqueued_at))
        FILTER (WHERE waiting.scheduled_at IS NULL OR waiting.scheduled_at <= now()) AS oldest_due_for,
    queue_worker.find_pause(NULL, waiting.queue_name) AS paused
FROM procrastinate_jobs AS waiting
WHERE waiting.status = 'todo'
GROUP BY waiting.queue_name;

COMMENT ON VIEW queue_worker.queue_depth IS 'How much waits in each queue, and for how long.';
COMMENT ON COLUMN queue_worker.queue_depth.queue IS 'The queue; one in which nothing waits is not listed.';
COMMENT ON COLUMN queue_worker.queue_depth.due IS 'Jobs that could run now.';
COMMENT ON COLUMN queue_worker.queue_depth.later IS 'Jobs that wait for their time.';
COMMENT ON COLUMN queue_worker.queue_depth.oldest_due_for IS 'How long the oldest due job has been due.';
COMMENT ON COLUMN queue_worker.queue_depth.paused IS 'Who has paused the queue, and why; null if nobody has.';
