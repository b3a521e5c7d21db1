-- Lock keys that more than one claimed job holds.
SELECT lock, string_agg('job ' || id, ' and ' ORDER BY id)
FROM procrastinate_jobs
WHERE status = 'doing' AND lock IS NOT NULL
GROUP BY lock
HAVING count(*) > 1
ORDER BY lock
LIMIT 5
