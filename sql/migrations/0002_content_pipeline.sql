-- Why: the content pipeline: events, what is aggregated and signalled from them, what is suggested,
-- regenerated and published.
-- Breaks older workers: no, nothing older uses this schema.

CREATE SCHEMA content_pipeline;

COMMENT ON SCHEMA content_pipeline IS
    'From learners'' events to published content: the tables of the first-party jobs.';

CREATE TYPE content_pipeline.signal_kind AS ENUM (
    'falling_engagement', 'falling_completion', 'falling_score', 'unusual_drop_off'
);

COMMENT ON TYPE content_pipeline.signal_kind IS 'In which way a content gets worse.';

-- Events ------------------------------------------------------------------------------------------

CREATE TABLE content_pipeline.analytics_event (
    id             bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    occurred_at    timestamptz NOT NULL CHECK (isfinite(occurred_at)),
    received_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    content_id     text NOT NULL CHECK (octet_length(content_id) BETWEEN 1 AND 512),
    learner_id     text NOT NULL CHECK (octet_length(learner_id) BETWEEN 1 AND 512),
    event_type     text NOT NULL CHECK (octet_length(event_type) BETWEEN 1 AND 128),
    value          numeric CHECK (abs(value) <= 1e15),
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (occurred_at, id),
    CHECK (event_type <> 'score' OR value IS NOT NULL)
) PARTITION BY RANGE (occurred_at);

CREATE INDEX analytics_event_content_idx
    ON content_pipeline.analytics_event (content_id, occurred_at);
CREATE INDEX analytics_event_transaction_idx
    ON content_pipeline.analytics_event (transaction_id);

COMMENT ON TABLE content_pipeline.analytics_event IS
    'What learners did, one row an event. Append-only; an event of any date is accepted.';
COMMENT ON COLUMN content_pipeline.analytics_event.id IS
    'Its number; not an order of arrival, as transactions commit out of order.';
COMMENT ON COLUMN content_pipeline.analytics_event.occurred_at IS
    'When the learner did it; its UTC day is the day that it counts for.';
COMMENT ON COLUMN content_pipeline.analytics_event.received_at IS 'When it was written here.';
COMMENT ON COLUMN content_pipeline.analytics_event.content_id IS 'The content it is about.';
COMMENT ON COLUMN content_pipeline.analytics_event.learner_id IS 'The learner who did it.';
COMMENT ON COLUMN content_pipeline.analytics_event.event_type IS
    'view, complete, score and drop_off are counted each; all others together.';
COMMENT ON COLUMN content_pipeline.analytics_event.value IS
    'What was measured, such as the points of a score; null where nothing was. Numeric, so that a sum is exact in any order.';
COMMENT ON COLUMN content_pipeline.analytics_event.transaction_id IS
    'The transaction that wrote it: how the aggregator knows what is new. Always leave it to its default.';

CREATE TABLE content_pipeline.analytics_event_default (
    LIKE content_pipeline.analytics_event
        INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS);
ALTER TABLE content_pipeline.analytics_event
    ATTACH PARTITION content_pipeline.analytics_event_default DEFAULT;

COMMENT ON TABLE content_pipeline.analytics_event_default IS
    'Events of months that have no partition of their own.';

-- A row trigger on the parent is inherited by all partitions; TRUNCATE has statement triggers only.
CREATE TRIGGER analytics_event_append_only
    BEFORE UPDATE ON content_pipeline.analytics_event
    FOR EACH ROW EXECUTE FUNCTION queue_worker.refuse_change();
CREATE TRIGGER analytics_event_no_truncate
    BEFORE TRUNCATE ON content_pipeline.analytics_event
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();
CREATE TRIGGER analytics_event_no_truncate
    BEFORE TRUNCATE ON content_pipeline.analytics_event_default
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();

CREATE FUNCTION content_pipeline.make_event_partitions(first_day date, months integer)
    RETURNS integer
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    month     timestamp;
    starts    timestamptz;
    ends      timestamptz;
    partition text;
    made      integer := 0;
BEGIN
    LOCK TABLE ONLY content_pipeline.analytics_event IN SHARE UPDATE EXCLUSIVE MODE;
    FOR number IN 0 .. months - 1 LOOP
        month := date_trunc('month', first_day::timestamp) + make_interval(months => number);
        starts := month AT TIME ZONE 'UTC';
        ends := (month + interval '1 month') AT TIME ZONE 'UTC';
        partition := to_char(month, '"analytics_event_"YYYY_MM');
        CONTINUE WHEN to_regclass('content_pipeline.' || partition) IS NOT NULL;

        -- Attached rather than created in place: that locks out readers and writers of the default
        -- partition only. Its rows of the month move along.
        LOCK TABLE content_pipeline.analytics_event_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format(
            'CREATE TABLE content_pipeline.%I (
                 LIKE content_pipeline.analytics_event
                     INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)',
            partition);
        EXECUTE format(
            'WITH moved AS (
                 DELETE FROM content_pipeline.analytics_event_default
                  WHERE occurred_at >= %L AND occurred_at < %L
                 RETURNING *)
             INSERT INTO content_pipeline.%I SELECT * FROM moved',
            starts, ends, partition);
        EXECUTE format(
            'ALTER TABLE content_pipeline.analytics_event
                 ATTACH PARTITION content_pipeline.%I FOR VALUES FROM (%L) TO (%L)',
            partition, starts, ends);
        EXECUTE format(
            'CREATE TRIGGER analytics_event_no_truncate
                 BEFORE TRUNCATE ON content_pipeline.%I
                 FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change()',
            partition);
        EXECUTE format(
            'COMMENT ON TABLE content_pipeline.%I IS %L',
            partition, 'Events of ' || to_char(month, 'YYYY-MM') || ', in UTC.');
        made := made + 1;
    END LOOP;
    RETURN made;
END;
$$;

COMMENT ON FUNCTION content_pipeline.make_event_partitions(date, integer) IS
    'Make a partition of analytics_event for each of these months that has none; returns how many. Example: SELECT content_pipeline.make_event_partitions(current_date, 6);';

SELECT content_pipeline.make_event_partitions((now() - interval '3 months')::date, 10);

-- Aggregates --------------------------------------------------------------------------------------

CREATE TABLE content_pipeline.analytics_daily_aggregate (
    content_id    text NOT NULL,
    day           date NOT NULL,
    events        bigint NOT NULL CHECK (events > 0),
    learners      bigint NOT NULL CHECK (learners BETWEEN 1 AND events),
    value_sum     numeric NOT NULL,
    views         bigint NOT NULL,
    completions   bigint NOT NULL,
    scores        bigint NOT NULL,
    score_sum     numeric NOT NULL,
    score_squares numeric NOT NULL,
    drop_offs     bigint NOT NULL,
    others        bigint NOT NULL,
    computed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at    timestamptz,
    PRIMARY KEY (content_id, day),
    CHECK (events = views + completions + scores + drop_offs + others)
);

CREATE INDEX analytics_daily_aggregate_day_idx
    ON content_pipeline.analytics_daily_aggregate (day);

COMMENT ON TABLE content_pipeline.analytics_daily_aggregate IS
    'The events of one content on one UTC day, counted; always computed whole from analytics_event.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.content_id IS 'The content.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.day IS 'The UTC day of occurred_at.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.events IS 'Number of events.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.learners IS
    'Number of distinct learners.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.value_sum IS
    'Sum of value over all events; an event without a value adds nothing.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.views IS 'Events of type view.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.completions IS
    'Events of type complete.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.scores IS 'Events of type score.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.score_sum IS
    'Sum of value over the scores.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.score_squares IS
    'Sum of squared value over the scores, from which their spread follows.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.drop_offs IS
    'Events of type drop_off.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.others IS
    'Events of every other type.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.computed_at IS
    'When these numbers last changed.';
COMMENT ON COLUMN content_pipeline.analytics_daily_aggregate.deleted_at IS
    'When retention put the row out of use; null while it is in use.';

CREATE TABLE content_pipeline.aggregation_watermark (
    is_only           boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    seen              pg_snapshot NOT NULL,
    system_identifier bigint NOT NULL,
    events_kept_from  date,
    advanced_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE content_pipeline.aggregation_watermark IS
    'How far the aggregates go; one row.';
COMMENT ON COLUMN content_pipeline.aggregation_watermark.is_only IS 'Keeps it one row.';
COMMENT ON COLUMN content_pipeline.aggregation_watermark.seen IS
    'Events of the transactions visible in this snapshot are in the aggregates; all others are not yet. 1:1: means none is.';
COMMENT ON COLUMN content_pipeline.aggregation_watermark.system_identifier IS
    'The database cluster that the snapshot is of; in another one, as after a restored dump, it means nothing.';
COMMENT ON COLUMN content_pipeline.aggregation_watermark.events_kept_from IS
    'Events before this day may have been deleted, so aggregates before it are final; null while all are kept.';
COMMENT ON COLUMN content_pipeline.aggregation_watermark.advanced_at IS
    'When the aggregator last completed.';

INSERT INTO content_pipeline.aggregation_watermark (seen, system_identifier)
SELECT '1:1:', system_identifier FROM pg_control_system();

-- Signals and suggestions -------------------------------------------------------------------------

CREATE TABLE content_pipeline.analytics_signal (
    signal_id         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    content_id        text NOT NULL,
    kind              content_pipeline.signal_kind NOT NULL,
    window_start      date NOT NULL,
    window_end        date NOT NULL,
    observed          numeric NOT NULL,
    baseline          numeric NOT NULL,
    z_score           numeric,
    observed_samples  bigint NOT NULL,
    baseline_samples  bigint NOT NULL,
    detected_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    withdrawn_at      timestamptz,
    deleted_at        timestamptz,
    UNIQUE (content_id, kind, window_end),
    CHECK (window_start <= window_end)
);

CREATE INDEX analytics_signal_window_idx ON content_pipeline.analytics_signal (window_end);

COMMENT ON TABLE content_pipeline.analytics_signal IS
    'A content that got worse: the days from window_start to window_end against the 28 days before.';
COMMENT ON COLUMN content_pipeline.analytics_signal.signal_id IS 'Its number.';
COMMENT ON COLUMN content_pipeline.analytics_signal.content_id IS 'The content.';
COMMENT ON COLUMN content_pipeline.analytics_signal.kind IS 'In which way it got worse.';
COMMENT ON COLUMN content_pipeline.analytics_signal.window_start IS 'First UTC day observed.';
COMMENT ON COLUMN content_pipeline.analytics_signal.window_end IS 'Last UTC day observed.';
COMMENT ON COLUMN content_pipeline.analytics_signal.observed IS
    'In the window: learners a day, the mean score, or the share of views completed or dropped.';
COMMENT ON COLUMN content_pipeline.analytics_signal.baseline IS
    'The same in the 28 days before the window.';
COMMENT ON COLUMN content_pipeline.analytics_signal.z_score IS
    'How many standard errors lie between the two; null if the values had no spread at all.';
COMMENT ON COLUMN content_pipeline.analytics_signal.observed_samples IS
    'How many learners, scores or views were counted in the window.';
COMMENT ON COLUMN content_pipeline.analytics_signal.baseline_samples IS
    'How many were counted in the 28 days before.';
COMMENT ON COLUMN content_pipeline.analytics_signal.detected_at IS 'When it was first detected.';
COMMENT ON COLUMN content_pipeline.analytics_signal.withdrawn_at IS
    'When late events showed that it was none; null while it holds.';
COMMENT ON COLUMN content_pipeline.analytics_signal.deleted_at IS
    'When retention put the row out of use; null while it is in use.';

CREATE TABLE content_pipeline.content_suggestion (
    suggestion_id   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    content_id      text NOT NULL,
    kind            content_pipeline.signal_kind NOT NULL,
    summary         text NOT NULL,
    evidence        jsonb NOT NULL CHECK (jsonb_typeof(evidence) = 'array' AND evidence <> '[]'),
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected')),
    suggested_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_at      timestamptz,
    decided_by      text CHECK (trim(decided_by) <> ''),
    decision_reason text CHECK (trim(decision_reason) <> ''),
    CHECK (num_nulls(decided_at, decided_by, decision_reason)
           = CASE WHEN state = 'open' THEN 3 ELSE 0 END)
);

CREATE UNIQUE INDEX content_suggestion_one_open_idx
    ON content_pipeline.content_suggestion (content_id, kind) WHERE state = 'open';
CREATE INDEX content_suggestion_content_idx
    ON content_pipeline.content_suggestion (content_id, kind);

COMMENT ON TABLE content_pipeline.content_suggestion IS
    'A content that should be regenerated, and what a person decided. Kept for ever.';
COMMENT ON COLUMN content_pipeline.content_suggestion.suggestion_id IS 'Its number.';
COMMENT ON COLUMN content_pipeline.content_suggestion.content_id IS 'The content.';
COMMENT ON COLUMN content_pipeline.content_suggestion.kind IS 'In which way it got worse.';
COMMENT ON COLUMN content_pipeline.content_suggestion.summary IS 'Why, in one line for people.';
COMMENT ON COLUMN content_pipeline.content_suggestion.evidence IS
    'The signals that led to it, as they were then: an array, oldest first.';
COMMENT ON COLUMN content_pipeline.content_suggestion.state IS
    'open: waits for a decision; at most one a content and kind.';
COMMENT ON COLUMN content_pipeline.content_suggestion.suggested_at IS 'When it was suggested.';
COMMENT ON COLUMN content_pipeline.content_suggestion.decided_at IS 'When it was decided.';
COMMENT ON COLUMN content_pipeline.content_suggestion.decided_by IS 'The person who decided.';
COMMENT ON COLUMN content_pipeline.content_suggestion.decision_reason IS
    'Why, in the person''s words.';

CREATE TRIGGER content_suggestion_kept
    BEFORE DELETE OR TRUNCATE ON content_pipeline.content_suggestion
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();

-- Regeneration ------------------------------------------------------------------------------------

CREATE TABLE content_pipeline.regeneration_request (
    request_id    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    suggestion_id bigint NOT NULL UNIQUE REFERENCES content_pipeline.content_suggestion,
    state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
    requested_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz,
    error_class   text,
    error_message text,
    CHECK ((state = 'waiting') = (finished_at IS NULL)),
    CHECK (num_nonnulls(error_class, error_message) = CASE WHEN state = 'failed' THEN 2 ELSE 0 END)
);

CREATE INDEX regeneration_request_waiting_idx
    ON content_pipeline.regeneration_request (request_id) WHERE state = 'waiting';

COMMENT ON TABLE content_pipeline.regeneration_request IS
    'What the generator is to be asked for: one row an approved suggestion.';
COMMENT ON COLUMN content_pipeline.regeneration_request.request_id IS 'Its number.';
COMMENT ON COLUMN content_pipeline.regeneration_request.suggestion_id IS
    'The approved suggestion.';
COMMENT ON COLUMN content_pipeline.regeneration_request.state IS
    'waiting: not carried out yet; done: its output is stored; failed: the generator raised, and only an approved retry makes it wait again.';
COMMENT ON COLUMN content_pipeline.regeneration_request.requested_at IS
    'When the suggestion was approved.';
COMMENT ON COLUMN content_pipeline.regeneration_request.finished_at IS
    'When it was done or failed; null while it waits.';
COMMENT ON COLUMN content_pipeline.regeneration_request.error_class IS
    'The class of what the generator raised; null unless failed.';
COMMENT ON COLUMN content_pipeline.regeneration_request.error_message IS
    'Its message, shortened; null unless failed.';

CREATE TABLE content_pipeline.regeneration_output (
    output_id    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    request_id   bigint NOT NULL UNIQUE REFERENCES content_pipeline.regeneration_request,
    content_id   text NOT NULL,
    body         text NOT NULL CHECK (trim(body) <> ''),
    generator    text NOT NULL,
    generated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE content_pipeline.regeneration_output IS
    'What the generator answered, one row a request. Never changed and kept for ever.';
COMMENT ON COLUMN content_pipeline.regeneration_output.output_id IS 'Its number.';
COMMENT ON COLUMN content_pipeline.regeneration_output.request_id IS 'The request it answers.';
COMMENT ON COLUMN content_pipeline.regeneration_output.content_id IS 'The content it is for.';
COMMENT ON COLUMN content_pipeline.regeneration_output.body IS 'The text.';
COMMENT ON COLUMN content_pipeline.regeneration_output.generator IS
    'The generator, as module:callable.';
COMMENT ON COLUMN content_pipeline.regeneration_output.generated_at IS 'When it was stored.';

CREATE TRIGGER regeneration_output_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON content_pipeline.regeneration_output
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();

CREATE TABLE content_pipeline.published_output (
    published_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    output_id    bigint NOT NULL UNIQUE REFERENCES content_pipeline.regeneration_output,
    content_id   text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_by text NOT NULL CHECK (trim(published_by) <> ''),
    reason       text NOT NULL CHECK (trim(reason) <> '')
);

CREATE INDEX published_output_content_idx
    ON content_pipeline.published_output (content_id, published_id DESC);

COMMENT ON TABLE content_pipeline.published_output IS
    'The outputs that a person promoted; of a content, the latest row counts. Never changed and kept for ever.';
COMMENT ON COLUMN content_pipeline.published_output.published_id IS
    'Its number; a later promotion has a higher one.';
COMMENT ON COLUMN content_pipeline.published_output.output_id IS 'The output.';
COMMENT ON COLUMN content_pipeline.published_output.content_id IS 'The content it is for.';
COMMENT ON COLUMN content_pipeline.published_output.published_at IS 'When it was promoted.';
COMMENT ON COLUMN content_pipeline.published_output.published_by IS 'The person who promoted it.';
COMMENT ON COLUMN content_pipeline.published_output.reason IS 'Why, in the person''s words.';

CREATE TRIGGER published_output_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON content_pipeline.published_output
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();

CREATE TABLE content_pipeline.retry_intent (
    retry_id    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    request_id  bigint NOT NULL REFERENCES content_pipeline.regeneration_request,
    state       text NOT NULL DEFAULT 'approved' CHECK (state IN ('approved', 'done')),
    approved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    approved_by text NOT NULL CHECK (trim(approved_by) <> ''),
    reason      text NOT NULL CHECK (trim(reason) <> ''),
    done_at     timestamptz,
    CHECK ((state = 'done') = (done_at IS NOT NULL))
);

CREATE UNIQUE INDEX retry_intent_one_approved_idx
    ON content_pipeline.retry_intent (request_id) WHERE state = 'approved';

COMMENT ON TABLE content_pipeline.retry_intent IS
    'A failed request that an administrator wants tried again.';
COMMENT ON COLUMN content_pipeline.retry_intent.retry_id IS 'Its number.';
COMMENT ON COLUMN content_pipeline.retry_intent.request_id IS 'The failed request.';
COMMENT ON COLUMN content_pipeline.retry_intent.state IS
    'approved: not carried out yet; done: the request waits again.';
COMMENT ON COLUMN content_pipeline.retry_intent.approved_at IS 'When it was approved.';
COMMENT ON COLUMN content_pipeline.retry_intent.approved_by IS 'The administrator.';
COMMENT ON COLUMN content_pipeline.retry_intent.reason IS 'Why, in the administrator''s words.';
COMMENT ON COLUMN content_pipeline.retry_intent.done_at IS
    'When it was carried out; null before.';
