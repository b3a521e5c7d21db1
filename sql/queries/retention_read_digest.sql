-- Fingerprint of these policies.
SELECT md5(string_agg(
    concat_ws('|', name, relation, column_name, how, keep, least, max_rows, max_share), E'\n' ORDER BY name
))
FROM queue_worker.retention_policy
WHERE name = ANY (%(policies)s)
