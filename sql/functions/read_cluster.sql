-- As its owner: where the right to read the control data was taken from everybody, the one who has
-- migrated must have it, and no worker needs it.
CREATE OR REPLACE FUNCTION content_pipeline.read_cluster() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT system_identifier FROM pg_control_system()
$$;

COMMENT ON FUNCTION content_pipeline.read_cluster() IS
    'Which database cluster this is: transaction ids mean something in this one only.';
