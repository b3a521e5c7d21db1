-- What a migration has just made, changed or dropped, what its files make in any case, and what nobody
-- has a fingerprint of yet.
WITH earlier AS (
    SELECT * FROM jsonb_to_recordset(%(before)s) AS e (object text, digest text, server integer)
), found AS (
    SELECT * FROM jsonb_to_recordset(%(found)s) AS f (object text, digest text, server integer)
), dropped AS (
    DELETE FROM queue_worker.fingerprint AS known
    USING earlier
    WHERE known.object = earlier.object AND known.object NOT IN (SELECT object FROM found)
)
INSERT INTO queue_worker.fingerprint AS known (object, digest, server)
SELECT found.object, found.digest, found.server
FROM found
LEFT JOIN earlier USING (object)
LEFT JOIN queue_worker.fingerprint AS recorded USING (object)
WHERE recorded.object IS NULL
    OR recorded.server <> found.server
    OR earlier.digest IS DISTINCT FROM found.digest
    OR (recorded.digest <> found.digest AND found.object = ANY (%(made)s::text[]))
ON CONFLICT (object) DO UPDATE SET digest = excluded.digest, server = excluded.server
