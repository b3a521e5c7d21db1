-- Why: the fleet, the ledger of runs, the ticks of schedules and the audit log.
-- Breaks older workers: no, there are none.

CREATE TYPE queue_worker.outcome AS ENUM (
    'succeeded', 'failed', 'timed_out', 'cancelled', 'skipped', 'lost', 'dry_run'
);

COMMENT ON TYPE queue_worker.outcome IS 'How a run ended; every run ends in exactly one of these.';

-- What procrastinate does not record about a queued job. Defaults are set in a second step, so
-- that an existing table is not rewritten.
ALTER TABLE procrastinate_jobs
    ADD COLUMN queue_worker_enqueued_at timestamptz,
    ADD COLUMN queue_worker_enqueued_by text,
    ADD COLUMN queue_worker_due_at      timestamptz,
    ADD COLUMN queue_worker_claimed_at  timestamptz;

ALTER TABLE procrastinate_jobs
    ALTER COLUMN queue_worker_enqueued_at SET DEFAULT clock_timestamp(),
    ALTER COLUMN queue_worker_enqueued_by SET DEFAULT session_user;

COMMENT ON COLUMN procrastinate_jobs.queue_worker_enqueued_at IS
    'When the job was put into the queue; null for rows older than queue_worker.';
COMMENT ON COLUMN procrastinate_jobs.queue_worker_enqueued_by IS
    'The role that put it there.';
COMMENT ON COLUMN procrastinate_jobs.queue_worker_due_at IS
    'The tick that made the job due; null for a job on demand.';
COMMENT ON COLUMN procrastinate_jobs.queue_worker_claimed_at IS
    'When a queue_worker worker last claimed it; null if none did.';

-- The claim asks for each waiting job whether an earlier one waits for the same lock.
CREATE INDEX queue_worker_jobs_lock_order_idx
    ON procrastinate_jobs (lock, priority DESC, id)
    WHERE lock IS NOT NULL AND status = 'todo';

CREATE TABLE queue_worker.worker (
    worker_id         bigint PRIMARY KEY,
    kind              text NOT NULL CHECK (kind IN ('worker', 'inline')),
    host              text NOT NULL,
    pid               integer NOT NULL,
    version           text NOT NULL,
    registry_digest   text NOT NULL,
    queues            text[] NOT NULL,
    concurrency       integer NOT NULL CHECK (concurrency > 0),
    started_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at          timestamptz,
    ended_how         text CHECK (ended_how IN ('stopped', 'failed', 'lost')),
    CHECK ((ended_at IS NULL) = (ended_how IS NULL))
);

COMMENT ON TABLE queue_worker.worker IS
    'One row a process that claims jobs, kept after it has ended.';
COMMENT ON COLUMN queue_worker.worker.worker_id IS
    'Its identity; the same number as in procrastinate_workers while it lives.';
COMMENT ON COLUMN queue_worker.worker.kind IS
    'worker: serves queues until it is stopped; inline: carries out one run and ends.';
COMMENT ON COLUMN queue_worker.worker.host IS 'The host it runs on.';
COMMENT ON COLUMN queue_worker.worker.pid IS 'Its process id on that host.';
COMMENT ON COLUMN queue_worker.worker.version IS 'The version of queue_worker it runs.';
COMMENT ON COLUMN queue_worker.worker.registry_digest IS
    'Fingerprint of the jobs it knows; workers of one deploy have the same.';
COMMENT ON COLUMN queue_worker.worker.queues IS 'The queues it serves; empty means all.';
COMMENT ON COLUMN queue_worker.worker.concurrency IS 'How many runs it executes at once.';
COMMENT ON COLUMN queue_worker.worker.started_at IS 'When it registered.';
COMMENT ON COLUMN queue_worker.worker.last_heartbeat_at IS 'When it last said that it is alive.';
COMMENT ON COLUMN queue_worker.worker.ended_at IS 'When it ended; null while it lives.';
COMMENT ON COLUMN queue_worker.worker.ended_how IS
    'stopped: on request; failed: by an error of its own; lost: found dead by another worker.';

CREATE TABLE queue_worker.job (
    name            text PRIMARY KEY,
    description     text NOT NULL,
    schedule        text NOT NULL,
    queue           text NOT NULL,
    priority        integer NOT NULL,
    lock_key        text,
    timeout         interval NOT NULL,
    max_attempts    integer NOT NULL,
    restartable     boolean NOT NULL,
    args_schema     jsonb,
    owner           text NOT NULL,
    runbook         text NOT NULL,
    registry_digest text NOT NULL,
    first_seen_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE queue_worker.job IS
    'The jobs as the fleet knows them: what the registries of started processes declared.';
COMMENT ON COLUMN queue_worker.job.name IS 'The name, the same in queue, ledger, metrics and logs.';
COMMENT ON COLUMN queue_worker.job.description IS 'What it is for, in one line.';
COMMENT ON COLUMN queue_worker.job.schedule IS 'When it is due by itself; manual means never.';
COMMENT ON COLUMN queue_worker.job.queue IS 'The queue it waits in.';
COMMENT ON COLUMN queue_worker.job.priority IS 'Higher runs first.';
COMMENT ON COLUMN queue_worker.job.lock_key IS
    'At most one run holding this key executes at any time; null lets runs overlap.';
COMMENT ON COLUMN queue_worker.job.timeout IS 'After this a run is ended.';
COMMENT ON COLUMN queue_worker.job.max_attempts IS '1 means that it is never retried by itself.';
COMMENT ON COLUMN queue_worker.job.restartable IS 'Whether a run that was cut off may simply be run again.';
COMMENT ON COLUMN queue_worker.job.args_schema IS 'JSON schema of its arguments; null if it takes none.';
COMMENT ON COLUMN queue_worker.job.owner IS 'Who answers for it.';
COMMENT ON COLUMN queue_worker.job.runbook IS 'Where it says what to do when it fails.';
COMMENT ON COLUMN queue_worker.job.registry_digest IS 'The registry that declared it last.';
COMMENT ON COLUMN queue_worker.job.first_seen_at IS 'When a process first declared it.';
COMMENT ON COLUMN queue_worker.job.last_seen_at IS 'When a process last declared it.';

CREATE TABLE queue_worker.tick (
    job          text NOT NULL,
    due_at       timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('enqueued', 'skipped', 'missed', 'backfilled')),
    reason       text,
    queue_job_id bigint,
    decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_by   bigint,
    PRIMARY KEY (job, due_at),
    CHECK ((state IN ('enqueued', 'backfilled')) = (queue_job_id IS NOT NULL)),
    CHECK ((state IN ('skipped', 'missed')) = (reason IS NOT NULL))
);

COMMENT ON TABLE queue_worker.tick IS
    'Every moment at which a schedule made a job due, and what came of it; each is decided once.';
COMMENT ON COLUMN queue_worker.tick.job IS 'The job that was due.';
COMMENT ON COLUMN queue_worker.tick.due_at IS 'When it was due, by its schedule.';
COMMENT ON COLUMN queue_worker.tick.state IS
    'enqueued: in time; backfilled: enqueued late; skipped: an earlier run still waited; missed: no worker was there.';
COMMENT ON COLUMN queue_worker.tick.reason IS 'Why nothing was enqueued.';
COMMENT ON COLUMN queue_worker.tick.queue_job_id IS 'The queued job; its row may be gone, the ledger keeps the run.';
COMMENT ON COLUMN queue_worker.tick.decided_at IS 'When this was decided, by the database''s clock.';
COMMENT ON COLUMN queue_worker.tick.decided_by IS 'The worker that decided it.';

CREATE TABLE queue_worker.run (
    queue_job_id  bigint NOT NULL,
    attempt       integer NOT NULL CHECK (attempt > 0),
    run_id        text NOT NULL GENERATED ALWAYS AS (queue_job_id::text || '.' || attempt::text) STORED,
    job           text NOT NULL,
    outcome       queue_worker.outcome NOT NULL,
    queue         text NOT NULL,
    lock_key      text,
    worker_id     bigint,
    due_at        timestamptz,
    enqueued_at   timestamptz NOT NULL,
    enqueued_by   text NOT NULL,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz NOT NULL CHECK (finished_at >= started_at),
    error_class   text,
    error_message text,
    traceback     text,
    retry_at      timestamptz,
    dry_run       boolean NOT NULL GENERATED ALWAYS AS (outcome = 'dry_run') STORED,
    PRIMARY KEY (queue_job_id, attempt),
    CHECK ((outcome IN ('succeeded', 'dry_run')) = (error_class IS NULL))
);

CREATE INDEX run_job_finished_at_idx ON queue_worker.run (job, finished_at DESC);
CREATE INDEX run_finished_at_idx ON queue_worker.run USING brin (finished_at);
CREATE INDEX run_failed_idx ON queue_worker.run (finished_at DESC)
    WHERE outcome IN ('failed', 'timed_out', 'lost');

COMMENT ON TABLE queue_worker.run IS
    'The ledger: one row a run, written when it ends and never changed. Survives its queue row.';
COMMENT ON COLUMN queue_worker.run.queue_job_id IS 'The row of procrastinate_jobs, which may be gone.';
COMMENT ON COLUMN queue_worker.run.attempt IS '1 for the first run of a queued job.';
COMMENT ON COLUMN queue_worker.run.run_id IS 'The run, as <queue_job_id>.<attempt>.';
COMMENT ON COLUMN queue_worker.run.job IS 'The name of the job.';
COMMENT ON COLUMN queue_worker.run.outcome IS 'How it ended.';
COMMENT ON COLUMN queue_worker.run.queue IS 'The queue it waited in.';
COMMENT ON COLUMN queue_worker.run.lock_key IS 'The key it held, or null.';
COMMENT ON COLUMN queue_worker.run.worker_id IS 'The worker that carried it out.';
COMMENT ON COLUMN queue_worker.run.due_at IS 'The tick that made it due; null on demand.';
COMMENT ON COLUMN queue_worker.run.enqueued_at IS 'When it was put into the queue.';
COMMENT ON COLUMN queue_worker.run.enqueued_by IS 'The role that put it there.';
COMMENT ON COLUMN queue_worker.run.started_at IS 'When it began, by the database''s clock.';
COMMENT ON COLUMN queue_worker.run.finished_at IS 'When it ended, by the database''s clock.';
COMMENT ON COLUMN queue_worker.run.error_class IS 'The class of the error, or the reason in one word.';
COMMENT ON COLUMN queue_worker.run.error_message IS 'The error''s message, shortened.';
COMMENT ON COLUMN queue_worker.run.traceback IS 'The end of the traceback.';
COMMENT ON COLUMN queue_worker.run.retry_at IS 'When the next attempt is due; null if there is none.';
COMMENT ON COLUMN queue_worker.run.dry_run IS 'Whether the function was not called (JOB_DRY_RUN).';

CREATE TABLE queue_worker.audit_log (
    audit_id    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor       text NOT NULL CHECK (actor <> ''),
    action      text NOT NULL,
    subject     text NOT NULL,
    reason      text NOT NULL CHECK (reason <> ''),
    details     jsonb NOT NULL DEFAULT '{}',
    role        text NOT NULL DEFAULT session_user,
    application text NOT NULL DEFAULT current_setting('application_name')
);

CREATE INDEX audit_log_subject_idx ON queue_worker.audit_log (subject, at DESC);

COMMENT ON TABLE queue_worker.audit_log IS
    'Who did what and why. Append-only and kept for ever.';
COMMENT ON COLUMN queue_worker.audit_log.audit_id IS 'The order in which it was written.';
COMMENT ON COLUMN queue_worker.audit_log.at IS 'When, by the database''s clock.';
COMMENT ON COLUMN queue_worker.audit_log.actor IS 'The person or process that did it.';
COMMENT ON COLUMN queue_worker.audit_log.action IS 'What was done, as noun.verb.';
COMMENT ON COLUMN queue_worker.audit_log.subject IS 'What it was done to, as kind:key.';
COMMENT ON COLUMN queue_worker.audit_log.reason IS 'Why, in the actor''s words.';
COMMENT ON COLUMN queue_worker.audit_log.details IS 'What else is worth knowing; never arguments of a job.';
COMMENT ON COLUMN queue_worker.audit_log.role IS 'The database role that was used.';
COMMENT ON COLUMN queue_worker.audit_log.application IS 'The application_name of the session.';

CREATE FUNCTION queue_worker.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '% of %.% refused: its rows are never changed',
            TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
              HINT = 'Add a new row that says what is different.';
END;
$$;

COMMENT ON FUNCTION queue_worker.refuse_change() IS
    'Trigger of append-only tables: refuses UPDATE, DELETE and TRUNCATE.';

CREATE TRIGGER audit_log_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON queue_worker.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();

CREATE TRIGGER run_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON queue_worker.run
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();

-- A job that is cancelled while it waits is seen by no worker, but has its outcome too.
CREATE FUNCTION queue_worker.record_cancelled() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO queue_worker.run (
        queue_job_id, attempt, job, outcome, queue, lock_key, due_at, enqueued_at, enqueued_by,
        started_at, finished_at, error_class, error_message)
    VALUES (
        NEW.id, NEW.attempts + 1, NEW.task_name, 'cancelled', NEW.queue_name, NEW.lock,
        NEW.queue_worker_due_at, coalesce(NEW.queue_worker_enqueued_at, clock_timestamp()),
        coalesce(NEW.queue_worker_enqueued_by, 'unknown'), clock_timestamp(), clock_timestamp(),
        'CancelledInQueue', format('cancelled by %s before it ran', session_user))
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.record_cancelled() IS
    'Trigger of procrastinate_jobs: records that a job was cancelled while it waited.';

CREATE TRIGGER queue_worker_record_cancelled
    AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW
    WHEN (OLD.status = 'todo' AND NEW.status = 'cancelled')
    EXECUTE FUNCTION queue_worker.record_cancelled();
