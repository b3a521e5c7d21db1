SELECT (now() AT TIME ZONE 'UTC')::date
