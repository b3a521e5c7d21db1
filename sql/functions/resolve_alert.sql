CREATE OR REPLACE FUNCTION queue_worker.resolve_alert(fingerprint text) RETURNS boolean
    LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
    UPDATE queue_worker.alert AS a
       SET state = 'resolved', resolved_at = clock_timestamp()
     WHERE a.fingerprint = resolve_alert.fingerprint AND a.state = 'open';
    RETURN FOUND;
END;
$$;

COMMENT ON FUNCTION queue_worker.resolve_alert(text) IS
    'Say that an alert is over; false if none of this fingerprint is open. It is told within seconds, and raised again by the next event.';
