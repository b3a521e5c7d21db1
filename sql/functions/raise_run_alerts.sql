-- By the statement: a close of five hundred failed runs writes one event for each of their jobs,
-- and takes no lock that another close could wait for. A run that will be tried again is not told
-- of, nor one of the job that tells: its failure would be told by the same job.
CREATE OR REPLACE FUNCTION queue_worker.raise_run_alerts() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO queue_worker.alert_event (at, type, fingerprint, job, subject, summary, run_id, count, recovers_by)
    SELECT max(bad.finished_at), bad.type, bad.type || ':' || bad.job, bad.job, bad.job,
           (array_agg(bad.summary ORDER BY bad.finished_at DESC))[1],
           (array_agg(bad.run_id ORDER BY bad.finished_at DESC))[1],
           count(*), 'success'
      FROM (
            SELECT w.job, w.finished_at, w.run_id,
                   CASE WHEN w.error_class ~ '(^|\.)EnvironmentInvalid$' THEN 'ENVIRONMENT_INVALID'
                        ELSE 'JOB_FAILED' END::queue_worker.alert_type AS type,
                   left(concat(w.outcome, CASE WHEN w.attempt > 1 THEN ' in attempt ' || w.attempt END,
                               ', ', w.error_class, ': ', w.error_message), 500) AS summary
              FROM written AS w
             WHERE w.outcome IN ('failed', 'timed_out', 'lost')
               AND w.retry_at IS NULL
               AND w.job <> 'queue_worker.deliver_alerts'
      ) AS bad
     GROUP BY bad.type, bad.job;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.raise_run_alerts() IS
    'Trigger of the ledger: an event for each job of which runs have failed for good, in the same transaction.';

CREATE OR REPLACE TRIGGER run_alerts
    AFTER INSERT ON queue_worker.run
    REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.raise_run_alerts();
