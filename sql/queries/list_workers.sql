SELECT worker_id, kind, state, host, pid, runs, concurrency, version, registry_digest, queues,
    started_at, last_heartbeat_at,
    extract(epoch FROM silent_for)::double precision AS silent_for,
    extract(epoch FROM up_for)::double precision AS up_for
FROM queue_worker.workers
ORDER BY worker_id
