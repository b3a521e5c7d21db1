-- What the aggregates have seen, and what they can see now; 1:1: is the snapshot that sees nothing.
-- Transaction ids count within one database cluster. In another (a restored dump), or with ids set
-- back, the stored snapshot means nothing: everything is then computed again.
-- The row stays locked until commit, so that a second aggregator waits.
SELECT CASE WHEN system_identifier = content_pipeline.read_cluster()
             AND pg_snapshot_xmin(seen) <= pg_current_xact_id()
            THEN seen
            ELSE '1:1:'
       END::text AS seen,
       pg_current_snapshot()::text AS now_seen
  FROM content_pipeline.aggregation_watermark
   FOR UPDATE
