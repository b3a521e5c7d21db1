SELECT audit_id, at, actor, action, subject, reason, details, role, application
FROM queue_worker.audit_log
WHERE %(subject)s::text IS NULL OR subject = %(subject)s
ORDER BY audit_id DESC
LIMIT %(limit)s
