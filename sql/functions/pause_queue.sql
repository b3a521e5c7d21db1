CREATE OR REPLACE FUNCTION queue_worker.pause_queue(queue text, actor text, reason text) RETURNS text
    LANGUAGE sql
AS $$
    SELECT queue_worker.pause('queue', pause_queue.queue, pause_queue.actor, pause_queue.reason);
$$;

COMMENT ON FUNCTION queue_worker.pause_queue(text, text, text) IS
    'From now on no worker claims anything in this queue, and the ticks of its jobs are skipped; what runs goes on. Returns paused or already paused; the latter changes and audits nothing. Example: SELECT queue_worker.pause_queue(''default'', ''ada'', ''the disk is full'');';
