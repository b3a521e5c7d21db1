-- The processes that live, ours and those of plain procrastinate, with the migrations that they know.
-- Works on a database of any level: what is not there yet is asked for through a row as JSON.
SELECT
    format(
        '%%s %%s on %%s (pid %%s, version %%s)',
        w.kind, w.worker_id, w.host, w.pid, w.version
    ),
    ARRAY(SELECT jsonb_array_elements_text(to_jsonb(w) -> 'level'))
FROM queue_worker.worker AS w
WHERE w.ended_at IS NULL
    AND w.last_heartbeat_at > clock_timestamp() - make_interval(secs => %(silence)s)
ORDER BY w.worker_id
