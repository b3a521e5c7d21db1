-- The commands that no trigger always refuses on these tables: one that is enabled and no more is
-- skipped in the session of a replica. With each the statement that enables it, unless it is gone. The
-- bits are those of pg_trigger.tgtype: 8 is DELETE, 32 is TRUNCATE.
SELECT
    kept.name, command.name,
    'ALTER TABLE ' || kept.name || ' ENABLE ALWAYS TRIGGER ' || quote_ident(min(guard.name))
FROM unnest(%(tables)s::text[]) AS kept (name)
CROSS JOIN (VALUES ('DELETE', 8), ('TRUNCATE', 32)) AS command (name, bit)
LEFT JOIN LATERAL (
    SELECT t.tgname::text AS name, t.tgenabled = 'A' AS is_on
    FROM pg_trigger AS t
    JOIN pg_proc AS refusing ON refusing.oid = t.tgfoid
    WHERE t.tgrelid = to_regclass(kept.name)
        AND t.tgtype & command.bit <> 0
        AND refusing.proname LIKE 'refuse\_%%'
        AND refusing.pronamespace IN (to_regnamespace('queue_worker'), to_regnamespace('content_pipeline'))
) AS guard ON true
GROUP BY kept.name, command.name
HAVING bool_or(guard.is_on) IS NOT TRUE
ORDER BY kept.name, command.name
