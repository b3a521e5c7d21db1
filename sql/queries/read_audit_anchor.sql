SELECT queue_worker.audit_anchor() AS anchor
