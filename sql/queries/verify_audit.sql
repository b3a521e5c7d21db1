SELECT chain_no, audit_id, problem
FROM queue_worker.verify_audit(%(anchor)s)
