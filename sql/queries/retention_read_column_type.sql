SELECT format_type(atttypid, NULL)
FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attname = %(column)s AND attnum > 0 AND NOT attisdropped
