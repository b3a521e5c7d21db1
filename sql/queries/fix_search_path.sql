-- For this transaction: where procrastinate's tables are (or will be), and temporary tables last, so
-- that functions which keep this path can't be led astray.
SELECT set_config(
    'search_path',
    quote_ident(coalesce(
        (
            SELECT n.nspname
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.oid = to_regclass('procrastinate_jobs')
        ),
        current_schema()
    )) || ', pg_temp',
    true
)
