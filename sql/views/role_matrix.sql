DROP VIEW IF EXISTS queue_worker.role_matrix;

-- Names of functions stand without their arguments: what is granted is granted for all of a name.
-- What is not here is granted to nobody but the owner.
CREATE VIEW queue_worker.role_matrix AS
WITH decided (role, kind, privileges, objects) AS (
    VALUES
    -- Everybody finds our objects; the worker and the reader find procrastinate's too.
    ('worker', 'schema', 'USAGE', 'queue_worker'),
    ('worker', 'schema', 'USAGE', 'content_pipeline'),
    ('enqueuer', 'schema', 'USAGE', 'queue_worker'),
    ('reader', 'schema', 'USAGE', 'queue_worker'),
    ('reader', 'schema', 'USAGE', 'content_pipeline'),

    -- The enqueuer: functions that run with their owner's rights, and nothing else.
    ('enqueuer', 'function', 'EXECUTE', 'queue_worker.enqueue queue_worker.enqueue_job queue_worker.enqueue_jobs'),

    -- The worker: the queue, the fleet and the ledger, which it can only add to.
    ('worker', 'table', 'SELECT UPDATE DELETE', 'procrastinate_jobs'),
    ('worker', 'table', 'SELECT INSERT UPDATE DELETE', 'procrastinate_workers'),
    ('worker', 'table', 'SELECT INSERT DELETE', 'procrastinate_events'),
    ('worker', 'sequence', 'USAGE', 'procrastinate_workers_id_seq procrastinate_events_id_seq'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'queue_worker.worker queue_worker.job'),
    ('worker', 'table', 'SELECT INSERT', 'queue_worker.run queue_worker.tick queue_worker.audit_log'),
    ('worker', 'table', 'SELECT', 'queue_worker.migration queue_worker.fingerprint queue_worker.role'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.enqueue queue_worker.enqueue_job queue_worker.enqueue_jobs'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.decide_ticks queue_worker.rescue_worker'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.assert_fence queue_worker.audit'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.check_worker'),  -- by triggers of what it writes
    ('worker', 'function', 'EXECUTE', 'queue_worker.close_lost_run queue_worker.rescue_ownerless'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.wake_workers queue_worker.find_pause'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.require_actor queue_worker.find_queue_heads'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.find_queues queue_worker.find_due_jobs'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.find_lock_heads'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.find_by_lock_key queue_worker.find_by_queueing_lock'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.is_unknown'),
    ('worker', 'table', 'SELECT', 'queue_worker.pause'),

    -- The worker: alerts, which it finds, folds into messages and delivers.
    ('worker', 'table', 'SELECT INSERT DELETE', 'queue_worker.alert_event'),
    ('worker', 'table', 'SELECT INSERT', 'queue_worker.alert_message'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'queue_worker.alert queue_worker.alert_delivery'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.tend_alerts queue_worker.look_for_alerts'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.find_alert_conditions queue_worker.alert_command'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.alert_runbook'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.fold_alert_events queue_worker.fold_alert_storm'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.write_alert_messages queue_worker.end_alerts'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.raise_alert queue_worker.resolve_alert'),

    -- The worker: retention. Triggers and functions refuse what no policy says.
    ('worker', 'table', 'DELETE', 'queue_worker.run'),
    ('worker', 'table', 'SELECT INSERT UPDATE DELETE', 'queue_worker.retention_policy'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'queue_worker.retention_plan queue_worker.retention_step'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.publish_policies queue_worker.kept_for_ever'),
    ('worker', 'table', 'SELECT', 'content_pipeline.event_partitions'),
    ('worker', 'function', 'EXECUTE', 'content_pipeline.drop_event_partition'),

    -- The worker: the content pipeline, in which a job never publishes.
    ('worker', 'table', 'SELECT DELETE', 'content_pipeline.analytics_event'),
    ('worker', 'table', 'SELECT UPDATE', 'content_pipeline.aggregation_watermark'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'content_pipeline.analytics_daily_aggregate'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'content_pipeline.analytics_signal'),
    ('worker', 'table', 'SELECT INSERT', 'content_pipeline.content_suggestion'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'content_pipeline.regeneration_request'),
    ('worker', 'table', 'SELECT INSERT', 'content_pipeline.regeneration_output'),
    ('worker', 'table', 'SELECT UPDATE', 'content_pipeline.retry_intent'),
    ('worker', 'function', 'EXECUTE', 'content_pipeline.rate_z_score'),
    ('worker', 'function', 'EXECUTE', 'content_pipeline.make_event_partitions'),
    ('worker', 'function', 'EXECUTE', 'content_pipeline.read_cluster'),

    -- The reader: all views (below), and the tables of which none holds the arguments of a job.
    ('reader', 'table', 'SELECT', 'queue_worker.run queue_worker.tick queue_worker.job'),
    ('reader', 'table', 'SELECT', 'queue_worker.worker queue_worker.audit_log'),
    ('reader', 'table', 'SELECT', 'queue_worker.migration queue_worker.fingerprint queue_worker.role'),
    ('reader', 'table', 'SELECT', 'queue_worker.pause queue_worker.alert queue_worker.alert_event'),
    ('reader', 'table', 'SELECT', 'queue_worker.alert_message queue_worker.alert_delivery'),
    ('reader', 'table', 'SELECT', 'queue_worker.retention_policy queue_worker.retention_plan'),
    ('reader', 'table', 'SELECT', 'queue_worker.retention_step'),
    ('reader', 'table', 'SELECT', 'queue_worker.audit_chain queue_worker.audit_head'),
    ('reader', 'table', 'SELECT', 'procrastinate_workers procrastinate_events'),
    ('reader', 'function', 'EXECUTE', 'queue_worker.find_pause queue_worker.alert_command'),
    ('reader', 'function', 'EXECUTE', 'queue_worker.find_by_lock_key'),
    ('reader', 'function', 'EXECUTE', 'queue_worker.is_unknown'),
    ('reader', 'function', 'EXECUTE', 'queue_worker.alert_runbook'),
    ('reader', 'function', 'EXECUTE', 'queue_worker.verify_audit queue_worker.audit_anchor'),
    ('reader', 'function', 'EXECUTE', 'queue_worker.hash_audit')
), queue AS (
    SELECT c.oid, c.relnamespace::regnamespace::text AS schema
    FROM pg_class AS c
    WHERE c.oid = 'procrastinate_jobs'::regclass
), named AS (
    SELECT d.role, d.kind, privilege.name AS privilege, object.name AS object
    FROM decided AS d
    CROSS JOIN unnest(string_to_array(d.privileges, ' ')) AS privilege (name)
    CROSS JOIN unnest(string_to_array(d.objects, ' ')) AS object (name)
    UNION ALL  -- names also here, so that a restored view looks as this one does
    SELECT part.name, 'schema' AS kind, 'USAGE' AS privilege, q.schema
    FROM queue AS q
    CROSS JOIN (VALUES ('worker'), ('reader')) AS part (name)
    UNION ALL
    SELECT part.name, 'table' AS kind, 'SELECT' AS privilege, v.oid::regclass::text
    FROM pg_class AS v
    CROSS JOIN (VALUES ('worker'), ('reader')) AS part (name)
    WHERE v.relkind = 'v' AND v.relnamespace = 'queue_worker'::regnamespace
)
SELECT n.role, n.kind, n.privilege,
    CASE
        WHEN n.object LIKE 'procrastinate\_%' THEN format('%s.%I', q.schema, n.object)
        ELSE n.object
    END AS object
FROM named AS n
CROSS JOIN queue AS q
WHERE n.kind <> 'function'
UNION ALL
SELECT n.role, n.kind, n.privilege, f.oid::regprocedure::text
FROM named AS n
JOIN pg_proc AS f
    ON f.pronamespace::regnamespace || '.' || f.proname = n.object
WHERE n.kind = 'function'
UNION ALL
-- The reader sees of a queued job all but its arguments.
SELECT 'reader' AS role, 'table' AS kind,
    format('SELECT (%s)', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)),
    q.oid::regclass::text
FROM queue AS q
JOIN pg_attribute AS a ON a.attrelid = q.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE a.attname <> 'args'
GROUP BY q.oid;

COMMENT ON VIEW queue_worker.role_matrix IS
    'Who may do what: the decisions that `queue-worker migrate --roles` grants.';
COMMENT ON COLUMN queue_worker.role_matrix.role IS 'worker, enqueuer or reader; the owner may do all.';
COMMENT ON COLUMN queue_worker.role_matrix.kind IS 'What the object is, as GRANT calls it.';
COMMENT ON COLUMN queue_worker.role_matrix.privilege IS 'What is allowed, as GRANT calls it.';
COMMENT ON COLUMN queue_worker.role_matrix.object IS 'The object, as GRANT takes it.';
