CREATE SCHEMA IF NOT EXISTS queue_worker;

COMMENT ON SCHEMA queue_worker IS
    'Background jobs: the fleet, the ledger of runs, schedules and the audit log. Created by queue_worker.';

CREATE TABLE IF NOT EXISTS queue_worker.migration (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    how        text NOT NULL CHECK (how IN ('applied', 'adopted', 'included')),
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by text NOT NULL DEFAULT session_user,
    version    text NOT NULL
);

COMMENT ON TABLE queue_worker.migration IS
    'Every SQL file that made this database what it is, procrastinate''s own files included.';
COMMENT ON COLUMN queue_worker.migration.name IS
    'The file, as source/name.';
COMMENT ON COLUMN queue_worker.migration.checksum IS
    'SHA-256 of the file when it was applied.';
COMMENT ON COLUMN queue_worker.migration.how IS
    'applied: run by queue-worker migrate; adopted: found to be there already; included: part of procrastinate''s full schema.';
COMMENT ON COLUMN queue_worker.migration.applied_at IS
    'When, by the database''s clock.';
COMMENT ON COLUMN queue_worker.migration.applied_by IS
    'The role that ran it.';
COMMENT ON COLUMN queue_worker.migration.version IS
    'The version of queue_worker that ran it.';
