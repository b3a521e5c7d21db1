-- As the owner of the table, for a role that is not: so it checks by itself that nothing is lost.
CREATE OR REPLACE FUNCTION content_pipeline.drop_event_partition(partition regclass, seen pg_snapshot)
    RETURNS boolean
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kept_from  timestamptz;
    is_expired boolean;
    has_more   boolean;
BEGIN
    SELECT events_kept_from::timestamp AT TIME ZONE 'UTC' INTO kept_from
      FROM content_pipeline.aggregation_watermark;
    SELECT upper_bound <= kept_from INTO is_expired
      FROM content_pipeline.event_partitions AS p
     WHERE p.partition = drop_event_partition.partition;
    IF is_expired IS NOT TRUE THEN
        RAISE EXCEPTION '% is no partition of analytics_event whose days are all final', partition
            USING ERRCODE = 'restrict_violation',
                  HINT = 'See events_kept_from in content_pipeline.aggregation_watermark.';
    END IF;

    -- The parent first, as a writer does: the other way round both would wait for each other.
    LOCK TABLE ONLY content_pipeline.analytics_event IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', partition);
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %s AS e
                         WHERE e.transaction_id >= pg_snapshot_xmin($1)
                           AND NOT pg_visible_in_snapshot(e.transaction_id, $1))', partition)
       INTO has_more USING seen;
    IF NOT has_more THEN
        EXECUTE format('ALTER TABLE content_pipeline.analytics_event DETACH PARTITION %s', partition);
        EXECUTE format('DROP TABLE %s', partition);
    END IF;
    RETURN NOT has_more;
END;
$$;

REVOKE ALL ON FUNCTION content_pipeline.drop_event_partition(regclass, pg_snapshot) FROM PUBLIC;

COMMENT ON FUNCTION content_pipeline.drop_event_partition(regclass, pg_snapshot) IS
    'Detach and drop a partition of analytics_event; returns false, and leaves it, if it holds an event that this snapshot does not see. Refuses one with a day that is not final yet.';
