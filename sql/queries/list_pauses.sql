SELECT kind, name, actor, reason, paused_at
FROM queue_worker.pause
ORDER BY kind, name
