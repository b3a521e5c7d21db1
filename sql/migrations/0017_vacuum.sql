-- Why: what was claimed leaves dead entries at the front of the indexes by which the next claims look, and
-- each claim steps over them until a vacuum has removed them. By default a table with ten million finished
-- rows is vacuumed after two million changes, and its indexes are left out where few pages have changed.
-- Breaks older workers: no.
-- Way back: ALTER TABLE procrastinate_jobs RESET for the three parameters.

ALTER TABLE procrastinate_jobs SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000,
    vacuum_index_cleanup = on
);
