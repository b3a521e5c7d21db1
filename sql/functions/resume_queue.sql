CREATE OR REPLACE FUNCTION queue_worker.resume_queue(queue text, actor text, reason text) RETURNS text
    LANGUAGE sql
AS $$
    SELECT queue_worker.resume('queue', resume_queue.queue, resume_queue.actor, resume_queue.reason);
$$;

COMMENT ON FUNCTION queue_worker.resume_queue(text, text, text) IS
    'End the pause of a queue: what waits in it is claimed, and the ticks of its jobs count again. Returns resumed or not paused; the latter changes and audits nothing. Example: SELECT queue_worker.resume_queue(''default'', ''ada'', ''there is room again'');';
