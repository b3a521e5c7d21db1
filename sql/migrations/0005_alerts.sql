-- Why: what goes wrong is told once and not a thousand times. Who finds something writes an event,
-- in the transaction of what it has found; the workers fold events into alerts, write a message for
-- each that is to be told, and a queued job delivers it to every sink.
-- Breaks older workers: no. The triggers write events for them too; where only they run, nobody
-- folds and delivers them until a newer one starts.
-- Way back: DROP the triggers run_alerts and tick_alerts and worker_alerts, the four tables named
-- alert*, the type alert_type, and the column jobs of worker.

CREATE TYPE queue_worker.alert_type AS ENUM (
    'JOB_FAILED', 'JOB_MISSED', 'JOB_RUNNING_LONG', 'JOB_UNKNOWN', 'QUEUE_LAGGING', 'WORKER_LOST',
    'ENVIRONMENT_INVALID'
);

COMMENT ON TYPE queue_worker.alert_type IS 'What an alert is about; docs/ALERTS.md explains each.';

CREATE TABLE queue_worker.alert_event (
    event_id    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    type        queue_worker.alert_type NOT NULL,
    fingerprint text NOT NULL CHECK (fingerprint <> ''),
    job         text,
    subject     text NOT NULL,
    summary     text NOT NULL,
    run_id      text,
    count       bigint NOT NULL DEFAULT 1 CHECK (count > 0),
    recovers_by text NOT NULL CHECK (recovers_by IN ('success', 'absence', 'start', 'word'))
);

COMMENT ON TABLE queue_worker.alert_event IS
    'What was found and is in no alert yet: written in the transaction of what it tells of, and folded by any worker within seconds.';
COMMENT ON COLUMN queue_worker.alert_event.event_id IS 'The order in which it was written.';
COMMENT ON COLUMN queue_worker.alert_event.at IS 'When it happened; of several, the last.';
COMMENT ON COLUMN queue_worker.alert_event.type IS 'What it is about.';
COMMENT ON COLUMN queue_worker.alert_event.fingerprint IS 'Events with the same one are one alert.';
COMMENT ON COLUMN queue_worker.alert_event.job IS 'The job it is about, if it is about one.';
COMMENT ON COLUMN queue_worker.alert_event.subject IS 'The job, queue or host it is about, in a word.';
COMMENT ON COLUMN queue_worker.alert_event.summary IS 'What happened, in one line.';
COMMENT ON COLUMN queue_worker.alert_event.run_id IS 'The run that shows more, if there is one.';
COMMENT ON COLUMN queue_worker.alert_event.count IS 'How many times it happened.';
COMMENT ON COLUMN queue_worker.alert_event.recovers_by IS 'What will end the alert; see queue_worker.alert.';

CREATE TABLE queue_worker.alert (
    fingerprint    text PRIMARY KEY,
    type           queue_worker.alert_type NOT NULL,
    job            text,
    subject        text NOT NULL,
    summary        text NOT NULL,
    run_id         text,
    state          text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
    first_seen_at  timestamptz NOT NULL,
    last_seen_at   timestamptz NOT NULL,
    resolved_at    timestamptz,
    count          bigint NOT NULL,
    untold         bigint NOT NULL,
    held_back      bigint NOT NULL DEFAULT 0,
    told_at        timestamptz,
    window_ends_at timestamptz,
    is_told        boolean NOT NULL DEFAULT false,
    storm          text,
    is_storm       boolean NOT NULL DEFAULT false,
    undelivered    bigint NOT NULL DEFAULT 0,
    recovers_by    text NOT NULL CHECK (recovers_by IN ('success', 'absence', 'start', 'word', 'members')),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK (held_back BETWEEN 0 AND untold)
);

-- Of thousands that were there, the few that somebody has to look at.
CREATE INDEX alert_live_idx ON queue_worker.alert (fingerprint)
    WHERE state = 'open' OR untold > 0 OR is_told;

COMMENT ON TABLE queue_worker.alert IS
    'What is wrong, or was: one row for each fingerprint, told at most once in each window.';
COMMENT ON COLUMN queue_worker.alert.fingerprint IS
    'What it is the same alert by, such as JOB_FAILED:reports.daily.';
COMMENT ON COLUMN queue_worker.alert.type IS 'What it is about.';
COMMENT ON COLUMN queue_worker.alert.job IS 'The job it is about, if it is about one.';
COMMENT ON COLUMN queue_worker.alert.subject IS 'The job, queue or host it is about, in a word.';
COMMENT ON COLUMN queue_worker.alert.summary IS 'What happened last, in one line.';
COMMENT ON COLUMN queue_worker.alert.run_id IS 'The newest run that shows more, if there is one.';
COMMENT ON COLUMN queue_worker.alert.state IS 'open until it has recovered.';
COMMENT ON COLUMN queue_worker.alert.first_seen_at IS 'When it first happened, since it was last resolved.';
COMMENT ON COLUMN queue_worker.alert.last_seen_at IS 'When it last happened or was last found.';
COMMENT ON COLUMN queue_worker.alert.resolved_at IS 'When it was found recovered; null while it is open.';
COMMENT ON COLUMN queue_worker.alert.count IS 'How many times it has happened since first_seen_at.';
COMMENT ON COLUMN queue_worker.alert.untold IS 'How many of them no message has told of yet.';
COMMENT ON COLUMN queue_worker.alert.held_back IS
    'How many of the untold were held back, as they came within the window of a message.';
COMMENT ON COLUMN queue_worker.alert.told_at IS 'When a message last told of it.';
COMMENT ON COLUMN queue_worker.alert.window_ends_at IS 'Until then no further message tells of it.';
COMMENT ON COLUMN queue_worker.alert.is_told IS
    'Whether a message of its own has told of it, so that its recovery is to be told too.';
COMMENT ON COLUMN queue_worker.alert.storm IS
    'The fingerprint of the summary that tells of it, where too many alerts came at once.';
COMMENT ON COLUMN queue_worker.alert.is_storm IS 'Whether it is such a summary.';
COMMENT ON COLUMN queue_worker.alert.undelivered IS
    'How many deliveries of its messages were given up: somebody was not told.';
COMMENT ON COLUMN queue_worker.alert.recovers_by IS
    'What ends it. success: the next success of its job; absence: it is not found any more; start: a worker has started since; word: somebody calls queue_worker.resolve_alert(); members: the alerts that it sums up have ended.';

CREATE TABLE queue_worker.alert_message (
    message_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    fingerprint   text NOT NULL REFERENCES queue_worker.alert,
    kind          text NOT NULL CHECK (kind IN ('raised', 'resolved')),
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    type          queue_worker.alert_type NOT NULL,
    job           text,
    subject       text NOT NULL,
    summary       text NOT NULL,
    run_id        text,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    count         bigint NOT NULL,
    held_back     bigint NOT NULL,
    owner         text NOT NULL DEFAULT '',
    runbook       text NOT NULL DEFAULT '',
    command       text NOT NULL
);

CREATE INDEX alert_message_fingerprint_idx ON queue_worker.alert_message (fingerprint, at);

COMMENT ON TABLE queue_worker.alert_message IS
    'What is told of alerts: written once and never changed, so that whoever is told twice can know by the id.';
COMMENT ON COLUMN queue_worker.alert_message.message_id IS 'The id that every sink is given.';
COMMENT ON COLUMN queue_worker.alert_message.fingerprint IS 'The alert it tells of.';
COMMENT ON COLUMN queue_worker.alert_message.kind IS 'raised: something is wrong; resolved: it has recovered.';
COMMENT ON COLUMN queue_worker.alert_message.at IS 'When it was written.';
COMMENT ON COLUMN queue_worker.alert_message.type IS 'As in the alert at that time.';
COMMENT ON COLUMN queue_worker.alert_message.job IS 'As in the alert at that time.';
COMMENT ON COLUMN queue_worker.alert_message.subject IS 'As in the alert at that time.';
COMMENT ON COLUMN queue_worker.alert_message.summary IS 'As in the alert at that time.';
COMMENT ON COLUMN queue_worker.alert_message.run_id IS 'As in the alert at that time.';
COMMENT ON COLUMN queue_worker.alert_message.first_seen_at IS 'As in the alert at that time.';
COMMENT ON COLUMN queue_worker.alert_message.last_seen_at IS 'As in the alert at that time.';
COMMENT ON COLUMN queue_worker.alert_message.count IS 'As in the alert at that time.';
COMMENT ON COLUMN queue_worker.alert_message.held_back IS
    'How many times it had happened since the message before, and was not told.';
COMMENT ON COLUMN queue_worker.alert_message.owner IS 'Who answers for the job.';
COMMENT ON COLUMN queue_worker.alert_message.runbook IS 'Where it says what to do.';
COMMENT ON COLUMN queue_worker.alert_message.command IS 'The command that shows more.';

CREATE TABLE queue_worker.alert_delivery (
    message_id    uuid NOT NULL REFERENCES queue_worker.alert_message ON DELETE CASCADE,
    sink          text NOT NULL,
    state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'given_up')),
    tries         integer NOT NULL DEFAULT 0,
    next_try_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_tried_at timestamptz,
    answer        text,
    ended_at      timestamptz,
    PRIMARY KEY (message_id, sink),
    CHECK ((state = 'waiting') = (ended_at IS NULL))
);

CREATE INDEX alert_delivery_waiting_idx ON queue_worker.alert_delivery (next_try_at)
    WHERE state = 'waiting';
CREATE INDEX alert_delivery_ended_idx ON queue_worker.alert_delivery (ended_at)
    WHERE ended_at IS NOT NULL;

COMMENT ON TABLE queue_worker.alert_delivery IS 'Each message for each sink, and what came of it.';
COMMENT ON COLUMN queue_worker.alert_delivery.message_id IS 'The message.';
COMMENT ON COLUMN queue_worker.alert_delivery.sink IS 'The sink, by a name that holds no secret.';
COMMENT ON COLUMN queue_worker.alert_delivery.state IS
    'waiting: not yet, or tried in vain; delivered: the sink has taken it; given_up: tried too often.';
COMMENT ON COLUMN queue_worker.alert_delivery.tries IS 'How often it was tried.';
COMMENT ON COLUMN queue_worker.alert_delivery.next_try_at IS 'Not tried again before.';
COMMENT ON COLUMN queue_worker.alert_delivery.last_tried_at IS 'When it was last tried.';
COMMENT ON COLUMN queue_worker.alert_delivery.answer IS 'What the sink answered, or what went wrong.';
COMMENT ON COLUMN queue_worker.alert_delivery.ended_at IS 'When it was delivered or given up.';

-- Which waiting job has no worker that knows it? The job table tells only who declared it last.
ALTER TABLE queue_worker.worker ADD COLUMN jobs text[];

COMMENT ON COLUMN queue_worker.worker.jobs IS
    'The names of the jobs it knows; null if it is of a version that does not say.';
