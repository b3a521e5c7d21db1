-- Each job of the last hours: how often it ran, how it went, how long it took.
SELECT
    job,
    count(*) AS runs,
    count(*) FILTER (WHERE outcome IN ('failed', 'timed_out', 'lost')) AS failures,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
        ORDER BY extract(epoch FROM finished_at - started_at)::double precision
    ) AS percentiles,
    max(extract(epoch FROM finished_at - started_at))::double precision AS longest
FROM queue_worker.run
WHERE finished_at > %(since)s AND finished_at <= %(until)s
GROUP BY job
ORDER BY failures DESC, runs DESC, job
