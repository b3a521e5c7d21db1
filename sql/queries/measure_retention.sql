-- How many rows have gone by each policy: summed up over the plans, of which there are a few a day.
SELECT s.policy, sum(s.removed)
FROM queue_worker.retention_step AS s
GROUP BY s.policy
