-- The UTC midnight before which rows are too old, by the database's clock.
SELECT date_trunc('day', (clock_timestamp() - %(keep)s::interval) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
