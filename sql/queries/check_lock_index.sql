-- Whether a valid unique index holds one claimed job of a lock key.
SELECT EXISTS (
    SELECT
    FROM pg_index AS i
    WHERE i.indrelid = to_regclass('procrastinate_jobs')
        AND i.indisunique AND i.indisvalid AND i.indisready
        AND pg_get_indexdef(i.indexrelid, 1, true) = 'lock'
        AND pg_get_expr(i.indpred, i.indrelid) LIKE '%%doing%%'
)
