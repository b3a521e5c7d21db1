-- A session that only reads, and never for long.
SELECT
    set_config('default_transaction_read_only', 'on', false),
    set_config('statement_timeout', %(timeout_ms)s::integer::text, false)
