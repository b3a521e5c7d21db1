-- The commands that no trigger always refuses on these tables: one that is enabled and no more is
-- skipped in the session of a replica. The bits are those of pg_trigger.tgtype: 8 is DELETE, 32 is
-- TRUNCATE.
SELECT kept.name, command.name
FROM unnest(%(tables)s::text[]) AS kept (name)
CROSS JOIN (VALUES ('DELETE', 8), ('TRUNCATE', 32)) AS command (name, bit)
WHERE NOT EXISTS (
    SELECT
    FROM pg_trigger AS guard
    JOIN pg_proc AS refusing ON refusing.oid = guard.tgfoid
    WHERE guard.tgrelid = to_regclass(kept.name)
        AND guard.tgenabled = 'A'
        AND guard.tgtype & command.bit <> 0
        AND refusing.proname LIKE 'refuse\_%%'
        AND refusing.pronamespace IN (to_regnamespace('queue_worker'), to_regnamespace('content_pipeline'))
)
ORDER BY kept.name, command.name
