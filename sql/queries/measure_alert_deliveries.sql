-- Messages of alerts for each sink: those that wait, and what came of others within the last hour.
SELECT d.sink, 'waiting', count(*)
FROM queue_worker.alert_delivery AS d
WHERE d.state = 'waiting'
GROUP BY d.sink
UNION ALL
SELECT d.sink, d.state, count(*)
FROM queue_worker.alert_delivery AS d
WHERE d.ended_at > now() - interval '1 hour'
GROUP BY d.sink, d.state
