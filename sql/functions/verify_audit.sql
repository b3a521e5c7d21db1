-- One statement, so that rows that are written meanwhile do not look like tampering.
CREATE OR REPLACE FUNCTION queue_worker.verify_audit(anchor text DEFAULT NULL)
    RETURNS TABLE (chain_no bigint, audit_id bigint, problem text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH link AS (
        SELECT c.*,
               lag(c.chain_no, 1, 0::bigint) OVER chain AS prev_no,
               lag(c.hash, 1, ''::bytea) OVER chain AS expected_prev
          FROM queue_worker.audit_chain AS c
        WINDOW chain AS (ORDER BY c.chain_no)
    ), last AS (
        SELECT coalesce(max(c.chain_no), 0) AS entries FROM queue_worker.audit_chain AS c
    ), asked AS (
        SELECT m[1]::numeric AS entries, m[2] AS hash
          FROM regexp_match(verify_audit.anchor, '^\s*(\d+):([0-9a-f]{64})\s*$') AS m
         WHERE m IS NOT NULL
    )
    SELECT l.chain_no, l.audit_id,
           format('%s removed before it', CASE l.chain_no - l.prev_no - 1
                      WHEN 1 THEN format('entry %s was', l.prev_no + 1)
                      ELSE format('entries %s to %s were', l.prev_no + 1, l.chain_no - 1) END)
      FROM link AS l WHERE l.chain_no <> l.prev_no + 1
    UNION ALL
    SELECT l.chain_no, l.audit_id, 'the link before it was changed'
      FROM link AS l WHERE l.chain_no = l.prev_no + 1 AND l.prev_hash <> l.expected_prev
    UNION ALL
    SELECT l.chain_no, l.audit_id, 'the row was deleted'
      FROM link AS l
     WHERE NOT EXISTS (SELECT FROM queue_worker.audit_log AS a WHERE a.audit_id = l.audit_id)
    UNION ALL
    SELECT l.chain_no, l.audit_id, 'the row was edited'
      FROM link AS l
      JOIN queue_worker.audit_log AS a ON a.audit_id = l.audit_id
     WHERE queue_worker.hash_audit(l.prev_hash, a) <> l.hash
    UNION ALL
    SELECT NULL, a.audit_id, 'the row was put in past the chain, or its link was removed'
      FROM queue_worker.audit_log AS a
     WHERE NOT EXISTS (SELECT FROM queue_worker.audit_chain AS c WHERE c.audit_id = a.audit_id)
    UNION ALL
    SELECT last.entries, NULL,
           CASE WHEN h.entries IS NULL THEN 'the head of the chain is gone'
                WHEN h.entries <> last.entries
                    THEN format('the chain ends here, but %s entries were written', h.entries)
                ELSE 'the chain ends with another hash than was written' END
      FROM last
      LEFT JOIN queue_worker.audit_head AS h ON true
     WHERE h.entries IS DISTINCT FROM last.entries
        OR h.hash IS DISTINCT FROM coalesce(
               (SELECT c.hash FROM queue_worker.audit_chain AS c WHERE c.chain_no = last.entries), '')
    UNION ALL
    SELECT NULL, NULL, 'the anchor is malformed: it is what an earlier verification has printed'
     WHERE verify_audit.anchor IS NOT NULL AND NOT EXISTS (SELECT FROM asked)
    UNION ALL
    SELECT least(asked.entries, 9223372036854775807)::bigint, NULL,
           'the anchor does not fit: this entry was removed or changed since'
      FROM asked
     WHERE asked.entries > 0
       AND NOT EXISTS (SELECT FROM queue_worker.audit_chain AS c
                        WHERE c.chain_no = asked.entries AND encode(c.hash, 'hex') = asked.hash)
     ORDER BY 1 NULLS LAST, 2, 3;
$$;

COMMENT ON FUNCTION queue_worker.verify_audit(text) IS
    'What is wrong with the audit log: a row for each entry that was edited, deleted, put in or cut off; none if all is well. With the anchor of an earlier verification (queue-worker audit verify prints it, or SELECT * FROM queue_worker.audit_anchor()) it also finds what somebody has rewritten who may change everything here.';
