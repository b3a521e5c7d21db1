CREATE OR REPLACE FUNCTION queue_worker.find_pause(job text, queue text) RETURNS text
    LANGUAGE sql STABLE
AS $$
    SELECT format('%spaused by %s: %s', CASE p.kind WHEN 'queue' THEN 'its queue was ' ELSE '' END,
                  p.actor, p.reason)
      FROM queue_worker.pause AS p
     WHERE (p.kind = 'job' AND p.name = find_pause.job)
        OR (p.kind = 'queue' AND p.name = find_pause.queue)
     ORDER BY p.kind
     LIMIT 1;
$$;

COMMENT ON FUNCTION queue_worker.find_pause(text, text) IS
    'Who has paused this job or its queue, and why; null if nobody has.';
