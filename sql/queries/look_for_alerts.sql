SELECT queue_worker.look_for_alerts(
    make_interval(secs => %(lagging_after)s), make_interval(secs => %(unknown_after)s),
    make_interval(secs => %(long_after)s), make_interval(secs => %(snapshot_after)s)
)
