-- Slots that nobody reads and that hold back so much, the worst first.
SELECT slot_name, held
FROM (
    SELECT
        slot_name,
        pg_wal_lsn_diff(
            CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
            restart_lsn
        )::bigint AS held
    FROM pg_replication_slots
    WHERE NOT active AND NOT temporary AND restart_lsn IS NOT NULL
) AS unused
WHERE held >= %(limit)s::bigint
ORDER BY held DESC
LIMIT 5
