CREATE OR REPLACE FUNCTION queue_worker.raise_worker_alert() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM queue_worker.raise_alert(
        'WORKER_LOST', NEW.host,
        format('worker %s (%s, pid %s) %s', NEW.worker_id, NEW.host, NEW.pid,
               CASE NEW.ended_how WHEN 'lost' THEN 'died or was cut off'
                                  ELSE 'ended by an error of its own' END),
        recovers_by => 'start');
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.raise_worker_alert() IS
    'Trigger of the workers: an event for each that has ended without being asked to.';

CREATE OR REPLACE TRIGGER worker_alerts
    AFTER UPDATE OF ended_how ON queue_worker.worker
    FOR EACH ROW
    WHEN (NEW.kind = 'worker' AND OLD.ended_how IS NULL AND NEW.ended_how IN ('lost', 'failed'))
    EXECUTE FUNCTION queue_worker.raise_worker_alert();
