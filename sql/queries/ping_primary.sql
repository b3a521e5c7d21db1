-- Does the session answer, and could it write? A standby and a server that was demoted can't.
SELECT NOT current_setting('transaction_read_only')::boolean
