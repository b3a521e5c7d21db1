-- The shared row lock makes a rescue wait until this transaction has ended: what it writes is
-- committed before anybody else can run under the lock key, or never.
CREATE OR REPLACE FUNCTION queue_worker.assert_fence(lock_key text, token text)
    RETURNS void
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM FROM procrastinate_jobs AS held
      WHERE held.id = queue_worker.find_by_lock_key(assert_fence.lock_key)
        AND held.status = 'doing'
        AND held.id || '.' || (held.attempts + 1) = assert_fence.token
        FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Run % does not hold lock key %', quote_literal(token), quote_literal(lock_key)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'It was lost or has ended: nothing of this transaction may be kept.';
    END IF;
END;
$$;

COMMENT ON FUNCTION queue_worker.assert_fence(text, text) IS
    'Raise unless this run (its id is the token) holds the lock key; nobody can take it over before the end of this transaction. Call it in the transaction whose writes must be fenced.';
