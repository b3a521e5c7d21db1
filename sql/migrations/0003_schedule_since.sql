-- Why: ticks of a changed schedule count from the moment it was published, or else those that never
-- were due would be recorded as missed. And one row can stand for all the ticks of a very long
-- outage that are too many to be recorded one by one.
-- Breaks older workers: no. They do not set schedule_since, so a change that they publish counts
-- from when a newer worker finds a difference; they go on calling decide_ticks as they did.

ALTER TABLE queue_worker.job ADD COLUMN schedule_since timestamptz;
UPDATE queue_worker.job SET schedule_since = first_seen_at;
ALTER TABLE queue_worker.job
    ALTER COLUMN schedule_since SET DEFAULT clock_timestamp(),
    ALTER COLUMN schedule_since SET NOT NULL;

COMMENT ON COLUMN queue_worker.job.schedule_since IS
    'When a process first declared the schedule that stands here now; earlier ticks of it do not count.';

ALTER TABLE queue_worker.tick
    ADD COLUMN missed_since timestamptz,
    ADD CHECK (missed_since IS NULL OR (state = 'missed' AND missed_since < due_at));

COMMENT ON COLUMN queue_worker.tick.missed_since IS
    'If set, this row stands for every tick after this moment up to due_at: they were too many to be recorded one by one.';
