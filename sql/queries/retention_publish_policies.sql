SELECT queue_worker.publish_policies(%(policies)s)
