INSERT INTO queue_worker.worker (
    worker_id, kind, host, pid, version, registry_digest, queues, concurrency, jobs, level
)
SELECT
    worker_id, %(kind)s, %(host)s, %(pid)s, %(version)s, %(registry_digest)s,
    %(queues)s::text[], %(concurrency)s, %(jobs)s::text[],
    %(level)s::text[]
FROM procrastinate_register_worker_v1()
RETURNING worker_id
