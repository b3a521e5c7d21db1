-- Why: least privilege. What the roles are called is kept here, so that grants can be made again
-- after a migration; what our functions looked like when they were made, so that one that was edited
-- by hand is noticed; and no function of ours can be led to a temporary table of the caller's.
-- Breaks older workers: no.
-- Way back: DROP TABLE queue_worker.fingerprint, queue_worker.role;

CREATE TABLE queue_worker.role (
    part text PRIMARY KEY CHECK (part IN ('owner', 'worker', 'enqueuer', 'reader')),
    name text NOT NULL UNIQUE
);

COMMENT ON TABLE queue_worker.role IS
    'The roles of this database, once `queue-worker migrate --roles` has made them; else empty.';
COMMENT ON COLUMN queue_worker.role.part IS 'What it is for.';
COMMENT ON COLUMN queue_worker.role.name IS 'What it is called in this cluster.';

CREATE TABLE queue_worker.fingerprint (
    object text PRIMARY KEY,
    digest text NOT NULL,
    server integer NOT NULL
);

COMMENT ON TABLE queue_worker.fingerprint IS
    'What each function and view of ours looked like when a migration made it.';
COMMENT ON COLUMN queue_worker.fingerprint.object IS 'The function, with its arguments, or the view.';
COMMENT ON COLUMN queue_worker.fingerprint.digest IS 'MD5 of its definition and options.';
COMMENT ON COLUMN queue_worker.fingerprint.server IS
    'The version of the server that wrote the definition out; 0 where the text is kept as it was given.';

-- It makes tables in a schema of its owner's, and the job that calls it runs as the worker.
ALTER FUNCTION content_pipeline.make_event_partitions(date, integer) SECURITY DEFINER;

-- A temporary table comes before all others on a path that does not name pg_temp: a function that
-- runs with its owner's rights, or a trigger of one, would write where the caller wants. The path of
-- a migration names it last.
DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN
        SELECT p.oid
          FROM pg_proc AS p
         WHERE p.pronamespace IN ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)
           AND array_to_string(p.proconfig, ',') LIKE '%search_path=%'
           AND array_to_string(p.proconfig, ',') NOT LIKE '%pg_temp%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path FROM CURRENT', function);
    END LOOP;
END;
$$;
