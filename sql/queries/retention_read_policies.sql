SELECT name, relation::text AS table, column_name, how, keep, least, max_rows, max_share, description
FROM queue_worker.retention_policy
ORDER BY how = 'never', name
