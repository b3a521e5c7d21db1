SELECT queue_worker.tend_alerts(
    make_interval(secs => %(tell_every)s), %(storm_from)s, %(sinks)s::text[], %(delivery)s::jsonb
)
