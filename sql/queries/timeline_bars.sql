-- The runs of these jobs as bars. Of a job with more runs than fit, those that ended in the same
-- stretch of time are one bar, the failed ones apart from the others: nothing that failed is hidden.
WITH counted AS (
    SELECT * FROM unnest(%(jobs)s::text[], %(runs)s::bigint[]) AS c (job, runs)
), ended AS (
    SELECT
        run.job, run.run_id, run.outcome, run.started_at, run.finished_at, run.error_class,
        run.outcome IN ('failed', 'timed_out', 'lost') AS is_failure,
        CASE WHEN counted.runs > %(most)s::integer THEN
            width_bucket(
                extract(epoch FROM run.finished_at),
                extract(epoch FROM %(since)s::timestamptz), extract(epoch FROM %(until)s::timestamptz),
                %(most)s::integer)
        END AS stretch
    FROM queue_worker.run
    JOIN counted USING (job)
    WHERE run.finished_at > %(since)s AND run.finished_at <= %(until)s
)
SELECT
    job, count(*) AS runs, is_failure,
    min(started_at) AS started_at, max(finished_at) AS finished_at,
    mode() WITHIN GROUP (ORDER BY outcome)::text AS outcome,
    CASE WHEN count(*) = 1 THEN min(run_id) END AS run_id,
    CASE WHEN count(*) = 1 THEN left(min(error_class), 100) END AS error_class
FROM ended
GROUP BY job, is_failure, stretch, CASE WHEN stretch IS NULL THEN run_id END
ORDER BY job, min(started_at)
