CREATE OR REPLACE FUNCTION queue_worker.find_alert_conditions(
    lagging_after  interval,
    unknown_after  interval,
    long_after     interval,
    snapshot_after interval
) RETURNS TABLE (
    type queue_worker.alert_type, subject text, job text, run_id text, summary text, recovers_by text
)
    LANGUAGE plpgsql
    STABLE
    SET search_path FROM CURRENT
    SET plan_cache_mode = force_generic_plan  -- to plan it takes longer than to look
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH heads AS MATERIALIZED (
        SELECT h.queue, h.job, min(h.due_since) AS due_since
          FROM queue_worker.find_queue_heads() AS h
         WHERE h.due_since < moment - least(find_alert_conditions.lagging_after,
                                            find_alert_conditions.unknown_after)
         GROUP BY h.queue, h.job
    ), known AS MATERIALIZED (
        SELECT h.*, EXISTS (
                   SELECT FROM queue_worker.worker AS w
                    WHERE w.ended_at IS NULL AND w.kind = 'worker'
                      AND (w.jobs IS NULL OR h.job = ANY (w.jobs))
               ) AS is_known
          FROM heads AS h
    ), late AS MATERIALIZED (
        SELECT o.job, o.due_at, o.because FROM queue_worker.overdue AS o
    )
    SELECT 'QUEUE_LAGGING'::queue_worker.alert_type, h.queue, NULL::text, NULL::text,
           format('the oldest job that is due in queue %s has been due since %s UTC', h.queue,
                  to_char(min(h.due_since) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')),
           'absence'
      FROM known AS h
     WHERE h.is_known AND h.due_since < moment - find_alert_conditions.lagging_after
     GROUP BY h.queue
    UNION ALL
    SELECT 'JOB_UNKNOWN', h.job, h.job, NULL,
           format('it waits in queue %s since %s UTC, and no living worker knows it', min(h.queue),
                  to_char(min(h.due_since) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')),
           'absence'
      FROM known AS h
     WHERE NOT h.is_known AND h.due_since < moment - find_alert_conditions.unknown_after
     GROUP BY h.job
    UNION ALL
    SELECT 'JOB_UNKNOWN', j.name, j.name, NULL,
           format('due by its schedule since %s UTC, and no living worker knows it; if it was taken '
                  'out of the code: queue-worker retire %s',
                  to_char(j.next_due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), j.name),
           'absence'
      FROM queue_worker.job AS j
     WHERE j.next_due_at < moment - find_alert_conditions.unknown_after
       AND queue_worker.is_unknown(j.name)
       AND queue_worker.find_pause(j.name, j.queue) IS NULL
       AND NOT EXISTS (SELECT FROM queue_worker.tick AS t WHERE t.job = j.name AND t.due_at >= j.next_due_at)
       AND NOT EXISTS (SELECT FROM known AS h WHERE h.job = j.name AND NOT h.is_known)
    UNION ALL
    SELECT 'JOB_MISSED', o.job, o.job, NULL,
           format('due at %s UTC and no run: %s',
                  to_char(o.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), o.because),
           'success'
      FROM late AS o
     WHERE NOT queue_worker.is_unknown(o.job)
    UNION ALL
    SELECT 'JOB_RUNNING_LONG', r.job, r.job, r.run_id,
           format('it has been running since %s UTC; 99 of 100 runs take less than %s s',
                  to_char(r.claimed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                  round(r.usual::numeric, 1)),
           'absence'
      FROM (
            SELECT oldest.job, oldest.claimed_at, oldest.run_id, pace.usual
              FROM (  -- of each job one: what it usually takes is found once
                   SELECT DISTINCT ON (p.task_name)
                          p.task_name::text AS job, p.queue_worker_claimed_at AS claimed_at,
                          p.id || '.' || (p.attempts + 1) AS run_id
                     FROM procrastinate_jobs AS p
                    WHERE p.status = 'doing' AND p.worker_id IS NOT NULL  -- there is an index of these
                      AND p.queue_worker_claimed_at < moment - find_alert_conditions.long_after
                    ORDER BY p.task_name, p.queue_worker_claimed_at
              ) AS oldest
              CROSS JOIN LATERAL (
                   SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY s.seconds) AS usual, count(*) AS runs
                     FROM (  -- no more, so that a job that only fails is not searched for ever
                          SELECT extract(epoch FROM r.finished_at - r.started_at) AS seconds, r.outcome
                            FROM queue_worker.run AS r
                           WHERE r.job = oldest.job
                           ORDER BY r.finished_at DESC LIMIT 100
                     ) AS s
                    WHERE s.outcome = 'succeeded'
              ) AS pace
             WHERE pace.runs >= 20
               AND oldest.claimed_at < moment - make_interval(secs => 1.5 * pace.usual)
      ) AS r
    UNION ALL
    SELECT 'ENVIRONMENT_INVALID', 'snapshot', NULL, NULL,
           format('session %s (%s) has held a snapshot since %s UTC, and keeps dead rows in place',
                  s.pid, s.application_name,
                  to_char(s.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')),
           'absence'
      FROM (
            SELECT a.pid, a.application_name, a.xact_start FROM pg_stat_activity AS a
             WHERE a.datname = current_database() AND a.backend_xmin IS NOT NULL
               AND a.backend_type = 'client backend'
               AND a.xact_start < moment - find_alert_conditions.snapshot_after
             ORDER BY a.xact_start LIMIT 1
      ) AS s;
END;
$$;

COMMENT ON FUNCTION queue_worker.find_alert_conditions(interval, interval, interval, interval) IS
    'What is wrong at this moment and is told of by nobody else: queues that lag, waiting jobs that no living worker knows, due ticks with no run, runs that take longer than theirs usually do, and a snapshot that is held open.';
