-- What was made by a migration and looks otherwise now, or is gone.
SELECT known.object
FROM queue_worker.fingerprint AS known
LEFT JOIN jsonb_to_recordset(%(found)s) AS found (object text, digest text, server integer) USING (object)
WHERE found.object IS NULL OR (known.digest <> found.digest AND known.server = found.server)
ORDER BY known.object
