-- The tables that refer to this one, and what becomes of their rows. Events go with their job by a
-- trigger of ours, which the catalog does not know as a reference.
SELECT conrelid::regclass || CASE confdeltype
    WHEN 'c' THEN ' (its rows go along)'
    WHEN 'n' THEN ' (set to null)'
    WHEN 'd' THEN ' (set to its default)'
    ELSE ' (its reference is cleared, or keeps the row)'
END
FROM pg_constraint
WHERE contype = 'f' AND confrelid = to_regclass(%(table)s)
UNION
SELECT 'procrastinate_events (its rows go along)'
FROM pg_trigger
WHERE tgname = 'queue_worker_drop_events' AND tgrelid = to_regclass(%(table)s)
ORDER BY 1
