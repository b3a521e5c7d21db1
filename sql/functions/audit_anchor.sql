CREATE OR REPLACE FUNCTION queue_worker.audit_anchor() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT h.entries || ':' || CASE WHEN h.entries = 0 THEN repeat('0', 64) ELSE encode(h.hash, 'hex') END
      FROM queue_worker.audit_head AS h;
$$;

COMMENT ON FUNCTION queue_worker.audit_anchor() IS
    'Where the audit log stands, as <entries>:<hash>. Kept outside of this database it proves later that nothing up to here was changed: verify_audit(anchor).';
