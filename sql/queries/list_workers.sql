SELECT worker_id, kind, host, pid, version, registry_digest, queues, concurrency, started_at,
    last_heartbeat_at
FROM queue_worker.worker
WHERE ended_at IS NULL
ORDER BY worker_id
