INSERT INTO queue_worker.retention_step (
    plan_id, policy, relation, cutoff, seen, rows, of_rows, oldest, newest, bytes, upto_id, partitions,
    referenced_by
)
VALUES (
    %(plan_id)s, %(policy)s, to_regclass(%(table)s), %(cutoff)s, %(seen)s::text::pg_snapshot, %(rows)s,
    %(of_rows)s, %(oldest)s, %(newest)s, %(bytes)s, %(upto_id)s, %(partitions)s, %(referenced_by)s
)
