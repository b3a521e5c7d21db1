CREATE OR REPLACE FUNCTION queue_worker.check_worker(worker_ids bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    asked bigint;
BEGIN
    FOREACH asked IN ARRAY worker_ids LOOP
        PERFORM FROM procrastinate_workers AS w WHERE w.id = asked FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'Worker % is not registered, so it can claim nothing', asked
                USING ERRCODE = 'foreign_key_violation',
                      HINT = 'It was deleted from procrastinate_workers: start it again.';
        END IF;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION queue_worker.check_worker(bigint[]) IS
    'Refuse workers that are not registered, and keep the rows of those that are until the end of the transaction, as the foreign key of procrastinate_jobs did. Called by triggers.';
