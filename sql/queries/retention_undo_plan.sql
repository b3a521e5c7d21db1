SELECT queue_worker.undo_soft_delete(%(plan_id)s, %(actor)s, %(reason)s)
