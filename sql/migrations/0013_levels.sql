-- Why: before a migration that breaks older workers, one must know which workers are older.
-- Breaks older workers: no. Those that were there before it have no level: they know none later.
-- Way back: DROP the column level.

ALTER TABLE queue_worker.worker ADD COLUMN level text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN queue_worker.worker.level IS
    'The newest migration of each kind that its version knows, procrastinate''s and ours; empty for a version that does not say.';
