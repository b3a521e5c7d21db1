-- The UTC midnight before which rows are too old, by the database's clock.
SELECT date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC' - %(keep)s::interval) AT TIME ZONE 'UTC'
