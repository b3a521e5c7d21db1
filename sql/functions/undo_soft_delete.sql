CREATE OR REPLACE FUNCTION queue_worker.undo_soft_delete(plan_id bigint, actor text, reason text)
    RETURNS bigint
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    plan     queue_worker.retention_plan;
    step     record;
    undone   bigint := 0;
    affected bigint;
BEGIN
    SELECT * INTO plan FROM queue_worker.retention_plan AS p
     WHERE p.plan_id = undo_soft_delete.plan_id FOR UPDATE;
    IF plan.started_at IS NULL THEN
        RAISE EXCEPTION 'Plan % was not applied', undo_soft_delete.plan_id
            USING ERRCODE = 'no_data_found',
                  HINT = 'SELECT * FROM queue_worker.retention_plan; lists all plans.';
    END IF;
    PERFORM queue_worker.audit(actor, 'retention.undone', 'plan:' || plan.plan_id, reason);
    FOR step IN
        SELECT s.relation FROM queue_worker.retention_step AS s
          JOIN queue_worker.retention_policy AS p ON p.name = s.policy
         WHERE s.plan_id = plan.plan_id AND p.how = 'soft_delete'
         ORDER BY s.policy
    LOOP
        EXECUTE format('UPDATE %s SET deleted_at = NULL WHERE deleted_at = $1', step.relation)
          USING plan.started_at;
        GET DIAGNOSTICS affected = ROW_COUNT;
        undone := undone + affected;
    END LOOP;
    UPDATE queue_worker.retention_plan AS p
       SET undone_at = clock_timestamp()
     WHERE p.plan_id = plan.plan_id;
    RETURN undone;
END;
$$;

COMMENT ON FUNCTION queue_worker.undo_soft_delete(bigint, text, text) IS
    'Put the rows that a plan has soft-deleted into use again; returns how many. Example: SELECT queue_worker.undo_soft_delete(7, ''ada'', ''the policy was too short'');';
