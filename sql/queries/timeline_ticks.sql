-- Ticks that led to no run, by stretches of the time; one that stands for many counts as one.
SELECT
    name AS job, silent.state, silent.stretch, count(*) AS ticks,
    min(silent.due_at) AS due_at, left(min(silent.reason), 200) AS reason
FROM queue_worker.job
CROSS JOIN LATERAL (
    SELECT
        tick.due_at, tick.state, tick.reason,
        width_bucket(
            extract(epoch FROM tick.due_at),
            extract(epoch FROM %(since)s::timestamptz), extract(epoch FROM %(until)s::timestamptz),
            %(most)s::integer) AS stretch
    FROM queue_worker.tick
    WHERE tick.job = job.name
        AND tick.due_at > %(since)s AND tick.due_at <= %(until)s
        AND tick.state IN ('missed', 'skipped')
) AS silent
GROUP BY name, silent.state, silent.stretch
ORDER BY name, silent.stretch
