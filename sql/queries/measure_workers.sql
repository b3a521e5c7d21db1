-- How many processes live, of each kind.
SELECT kind.name, count(living.worker_id)
FROM (VALUES ('worker'), ('inline')) AS kind (name)
LEFT JOIN queue_worker.worker AS living ON living.kind = kind.name AND living.ended_at IS NULL
GROUP BY kind.name
