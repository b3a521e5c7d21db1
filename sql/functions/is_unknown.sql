-- With no worker left nothing is known of any job: then none is unknown.
CREATE OR REPLACE FUNCTION queue_worker.is_unknown(job text) RETURNS boolean
    LANGUAGE sql
    STABLE
    COST 10000  -- asked last, of the few jobs that are due
AS $$
    SELECT coalesce(bool_and(coalesce(is_unknown.job <> ALL (living.jobs), false)), false)
      FROM queue_worker.worker AS living
     WHERE living.ended_at IS NULL AND living.kind = 'worker'
$$;

COMMENT ON FUNCTION queue_worker.is_unknown(text) IS
    'Whether workers live and none of them knows this job: it was taken out of the code, or the workers that have it are gone.';
