"""The times that liveness rests on, in seconds; each bound rests on the ones before it.

A worker renews its heartbeat and watches its lock session. If it can't, it ends its own locked
runs within SELF_FENCE, or at the latest when it has been SILENT for its own part. Others take over
only after that: at once after SELF_FENCE where the server knows that its session is gone, else
after FROZEN, and then they end its session first.
"""

HEARTBEAT = 1.0  # between two heartbeats
LOCK_WATCH = 0.25  # between two looks at the lock session
LOCK_ANSWER = 1.5  # a lock session that has not answered by then has ended
SELF_FENCE = LOCK_WATCH + LOCK_ANSWER  # from its end to the end of the runs that it protected
SILENT = 8.0  # without a heartbeat a worker ends its own locked runs
INSIST = 1.0  # a loop that has not begun with that by then is blocked: the process must end
FROZEN = 12.0  # without a heartbeat others end its session
ANSWER = 10.0  # any other connection that has not answered by then is taken to be half open
REAP = 0.25  # between two looks for dead workers, by any of the fleet or by one that suspects
REAP_ALONE = 1.0  # the same for a worker that has no siblings
REAP_SELDOM = 5.0  # the longest between two looks of one worker of a large fleet
REAP_OWNERLESS = 5.0  # between two looks of one worker for claims that belong to nobody
SETTLE = 5.0  # after an outage everybody gets this long to come back before he can be found dead
LAST_WORDS = 3.0  # a worker that ends waits so long to say so
