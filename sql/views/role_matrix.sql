DROP VIEW IF EXISTS queue_worker.role_matrix;

-- Names of functions stand without their arguments: what is granted is granted for all of a name.
-- What is not here is granted to nobody but the owner.
CREATE VIEW queue_worker.role_matrix AS
WITH decided (role, kind, privileges, objects) AS (
    VALUES
    -- Everybody finds our objects; the worker and the reader find procrastinate's too.
    ('worker', 'schema', 'USAGE', 'queue_worker content_pipeline'),
    ('enqueuer', 'schema', 'USAGE', 'queue_worker'),
    ('reader', 'schema', 'USAGE', 'queue_worker content_pipeline'),

    -- The enqueuer: functions that run with their owner's rights, and nothing else.
    ('enqueuer', 'function', 'EXECUTE', 'queue_worker.enqueue queue_worker.enqueue_jobs'),

    -- The worker: the queue, the fleet and the ledger, which it can only add to.
    ('worker', 'table', 'SELECT UPDATE', 'procrastinate_jobs'),
    ('worker', 'table', 'SELECT INSERT UPDATE DELETE', 'procrastinate_workers'),
    ('worker', 'table', 'SELECT INSERT', 'procrastinate_events'),
    ('worker', 'sequence', 'USAGE', 'procrastinate_workers_id_seq procrastinate_events_id_seq'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'queue_worker.worker queue_worker.job'),
    ('worker', 'table', 'SELECT INSERT', 'queue_worker.run queue_worker.tick queue_worker.audit_log'),
    ('worker', 'table', 'SELECT', 'queue_worker.migration queue_worker.fingerprint queue_worker.role'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.enqueue queue_worker.enqueue_jobs'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.decide_ticks queue_worker.rescue_worker'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.assert_fence queue_worker.audit'),
    ('worker', 'function', 'EXECUTE', 'queue_worker.check_worker'),  -- by triggers of what it writes

    -- The worker: the content pipeline, in which a job never publishes.
    ('worker', 'table', 'SELECT', 'content_pipeline.analytics_event'),
    ('worker', 'table', 'SELECT UPDATE', 'content_pipeline.aggregation_watermark'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'content_pipeline.analytics_daily_aggregate'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'content_pipeline.analytics_signal'),
    ('worker', 'table', 'SELECT INSERT', 'content_pipeline.content_suggestion'),
    ('worker', 'table', 'SELECT INSERT UPDATE', 'content_pipeline.regeneration_request'),
    ('worker', 'table', 'SELECT INSERT', 'content_pipeline.regeneration_output'),
    ('worker', 'table', 'SELECT UPDATE', 'content_pipeline.retry_intent'),
    ('worker', 'function', 'EXECUTE', 'content_pipeline.rate_z_score'),
    ('worker', 'function', 'EXECUTE', 'content_pipeline.make_event_partitions'),

    -- The reader: all views (below), and the tables of which none holds the arguments of a job.
    ('reader', 'table', 'SELECT', 'queue_worker.run queue_worker.tick queue_worker.job'),
    ('reader', 'table', 'SELECT', 'queue_worker.worker queue_worker.audit_log'),
    ('reader', 'table', 'SELECT', 'queue_worker.migration queue_worker.fingerprint queue_worker.role'),
    ('reader', 'table', 'SELECT', 'procrastinate_workers procrastinate_events')
), queue AS (
    SELECT c.oid, c.relnamespace::regnamespace::text AS schema
    FROM pg_class AS c
    WHERE c.oid = 'procrastinate_jobs'::regclass
), named AS (
    SELECT d.role, d.kind, privilege.name AS privilege, object.name AS object
    FROM decided AS d
    CROSS JOIN regexp_split_to_table(d.privileges, ' ') AS privilege (name)
    CROSS JOIN regexp_split_to_table(d.objects, ' ') AS object (name)
    UNION ALL
    SELECT part.name, 'schema', 'USAGE', q.schema
    FROM queue AS q
    CROSS JOIN (VALUES ('worker'), ('reader')) AS part (name)
    UNION ALL
    SELECT part.name, 'table', 'SELECT', v.oid::regclass::text
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
SELECT 'reader', 'table',
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
