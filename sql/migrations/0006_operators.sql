-- Why: a job or a queue can be paused for the whole fleet; what a job that is paused, or that a
-- worker doesn't know, has waiting costs the claims of others nothing; a run can be asked to end; and
-- an audit log that somebody has tampered with shows where.
-- Breaks older workers: no. They take no notice of a pause of a job or queue, though, and their
-- claims find no index in their order any more, so that they get slower with what waits: replace
-- them soon. As it makes four indexes anew, run it when the queue may stand still for that time.
-- Way back: resume everything; DROP the tables pause, audit_chain and audit_head, the triggers and
-- functions made here and the indexes queue_worker_jobs_abort_idx and queue_worker_jobs_ownerless_idx;
-- make the other four indexes again as in 0004.

CREATE TABLE queue_worker.pause (
    kind      text NOT NULL CHECK (kind IN ('job', 'queue')),
    name      text NOT NULL,
    actor     text NOT NULL,
    reason    text NOT NULL,
    paused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, name)
);

COMMENT ON TABLE queue_worker.pause IS
    'What is paused at this moment: nothing of it is claimed and its ticks are skipped. Written by pause_job, pause_queue and their opposites.';
COMMENT ON COLUMN queue_worker.pause.kind IS 'job or queue.';
COMMENT ON COLUMN queue_worker.pause.name IS 'The name of the job or of the queue.';
COMMENT ON COLUMN queue_worker.pause.actor IS 'Who has paused it.';
COMMENT ON COLUMN queue_worker.pause.reason IS 'Why, in the actor''s words.';
COMMENT ON COLUMN queue_worker.pause.paused_at IS 'Since when.';

-- What waits, by job: the claim goes past the names that are paused or unknown to a worker, however
-- much of them waits.
DROP INDEX queue_worker_jobs_ready_idx;
DROP INDEX queue_worker_jobs_later_idx;
DROP INDEX queue_worker_jobs_locked_ready_idx;
DROP INDEX queue_worker_jobs_locked_later_idx;

CREATE INDEX queue_worker_jobs_ready_idx
    ON procrastinate_jobs (queue_name, task_name, priority DESC, id)
    WHERE status <= 'todo' AND lock IS NULL AND scheduled_at IS NULL;
CREATE INDEX queue_worker_jobs_later_idx
    ON procrastinate_jobs (queue_name, task_name, priority, scheduled_at, id)
    WHERE status <= 'todo' AND lock IS NULL AND scheduled_at IS NOT NULL;
CREATE INDEX queue_worker_jobs_locked_ready_idx
    ON procrastinate_jobs (queue_name, task_name, priority DESC, id)
    WHERE status <= 'todo' AND lock IS NOT NULL AND scheduled_at IS NULL;
CREATE INDEX queue_worker_jobs_locked_later_idx
    ON procrastinate_jobs (queue_name, task_name, priority, scheduled_at, id)
    WHERE status <= 'todo' AND lock IS NOT NULL AND scheduled_at IS NOT NULL;

-- Which of its runs are to end, each heartbeat asks: nearly always none.
CREATE INDEX queue_worker_jobs_abort_idx
    ON procrastinate_jobs (worker_id) WHERE abort_requested;

-- What is claimed by nobody any more: nearly always nothing.
CREATE INDEX queue_worker_jobs_ownerless_idx
    ON procrastinate_jobs (id) WHERE status = 'doing' AND worker_id IS NULL;

-- A claim that is given back unstarted is not run any more if somebody has cancelled it meanwhile.
DROP TRIGGER queue_worker_record_cancelled ON procrastinate_jobs;
CREATE TRIGGER queue_worker_record_cancelled
    AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW
    WHEN (OLD.status IN ('todo', 'doing') AND NEW.status = 'cancelled')
    EXECUTE FUNCTION queue_worker.record_cancelled();

-- The chain of the audit log: each link holds the hash of the one before it and of its row. It has
-- numbers of its own, without gaps, as those of the rows have gaps where a transaction was rolled back.
CREATE TABLE queue_worker.audit_chain (
    chain_no  bigint PRIMARY KEY CHECK (chain_no > 0),
    audit_id  bigint NOT NULL UNIQUE,
    prev_hash bytea NOT NULL,
    hash      bytea NOT NULL
);

COMMENT ON TABLE queue_worker.audit_chain IS
    'The audit log as a chain: a row that is changed, removed or put in later does not fit its link. SELECT * FROM queue_worker.verify_audit();';
COMMENT ON COLUMN queue_worker.audit_chain.chain_no IS 'Its place, without gaps; the order of the commits.';
COMMENT ON COLUMN queue_worker.audit_chain.audit_id IS 'The row of the audit log.';
COMMENT ON COLUMN queue_worker.audit_chain.prev_hash IS 'The hash of the link before; empty for the first.';
COMMENT ON COLUMN queue_worker.audit_chain.hash IS 'SHA-256 of prev_hash and the row.';

CREATE TABLE queue_worker.audit_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    entries  bigint NOT NULL,
    hash     bytea NOT NULL
);

COMMENT ON TABLE queue_worker.audit_head IS
    'Where the chain of the audit log ends, so that an end that is cut off shows. One row.';
COMMENT ON COLUMN queue_worker.audit_head.only_row IS 'True: there is one row.';
COMMENT ON COLUMN queue_worker.audit_head.entries IS 'How many links the chain has.';
COMMENT ON COLUMN queue_worker.audit_head.hash IS 'The hash of the last one.';

INSERT INTO queue_worker.audit_head (entries, hash) VALUES (0, '');

CREATE FUNCTION queue_worker.hash_audit(previous bytea, entry queue_worker.audit_log) RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT sha256(previous || convert_to(jsonb_build_array(
               entry.audit_id, to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
               entry.actor, entry.action, entry.subject, entry.reason, entry.details, entry.role,
               entry.application)::text, 'UTF8'));
$$;

COMMENT ON FUNCTION queue_worker.hash_audit(bytea, queue_worker.audit_log) IS
    'The hash of a link of the audit chain: of the link before it and of every column of the row.';

CREATE FUNCTION queue_worker.chain_audit() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER  -- whoever may add a row may not touch the chain
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    head queue_worker.audit_head;
    link bytea;
BEGIN
    SELECT * INTO STRICT head FROM queue_worker.audit_head FOR UPDATE;
    link := queue_worker.hash_audit(head.hash, NEW);
    INSERT INTO queue_worker.audit_chain (chain_no, audit_id, prev_hash, hash)
    VALUES (head.entries + 1, NEW.audit_id, head.hash, link);
    UPDATE queue_worker.audit_head SET entries = head.entries + 1, hash = link;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.chain_audit() IS
    'Trigger of audit_log: links each new row to the one before it, as the last thing its transaction does.';

-- Deferred: the lock of the head is the last one that a transaction takes, so that nobody who holds
-- it waits for another lock.
CREATE CONSTRAINT TRIGGER audit_log_chain
    AFTER INSERT ON queue_worker.audit_log
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION queue_worker.chain_audit();

DO $$
DECLARE
    entry queue_worker.audit_log;
    link  bytea := '';
    place bigint := 0;
BEGIN
    FOR entry IN SELECT * FROM queue_worker.audit_log ORDER BY audit_id LOOP
        place := place + 1;
        INSERT INTO queue_worker.audit_chain (chain_no, audit_id, prev_hash, hash)
        VALUES (place, entry.audit_id, link, queue_worker.hash_audit(link, entry))
        RETURNING hash INTO link;
    END LOOP;
    UPDATE queue_worker.audit_head SET entries = place, hash = link;
END;
$$;

CREATE TRIGGER audit_chain_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON queue_worker.audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();

CREATE TRIGGER audit_head_stays
    BEFORE DELETE OR TRUNCATE ON queue_worker.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();

CREATE TRIGGER audit_head_goes_on
    BEFORE UPDATE ON queue_worker.audit_head
    FOR EACH ROW
    WHEN (NEW.entries <> OLD.entries + 1)
    EXECUTE FUNCTION queue_worker.refuse_change();
