-- What a sink answered. A message that was not even tried, as the sink had just failed another, is
-- not charged for it. Returns what is given up.
WITH answered AS (
    SELECT *
    FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(answers)s::text[])
        AS a (message_id, state, answer)
), recorded AS (
    UPDATE queue_worker.alert_delivery AS d
    SET state = CASE
            WHEN answered.state = 'delivered' THEN 'delivered'
            WHEN answered.state = 'failed' AND d.tries >= %(most_tries)s THEN 'given_up'
            ELSE 'waiting'
        END,
        tries = d.tries - (answered.state = 'untried')::integer,
        answer = answered.answer,
        ended_at = CASE
            WHEN answered.state = 'delivered' OR (answered.state = 'failed' AND d.tries >= %(most_tries)s)
                THEN clock_timestamp()
        END
    FROM answered
    WHERE d.message_id = answered.message_id AND d.sink = %(sink)s AND d.state = 'waiting'
    RETURNING d.message_id, d.state
), given_up AS (
    SELECT m.message_id, m.fingerprint
    FROM recorded
    JOIN queue_worker.alert_message AS m USING (message_id)
    WHERE recorded.state = 'given_up'
), counted AS (
    UPDATE queue_worker.alert AS a
    SET undelivered = a.undelivered + lost.messages
    FROM (SELECT fingerprint, count(*) AS messages FROM given_up GROUP BY fingerprint) AS lost
    WHERE a.fingerprint = lost.fingerprint
)
SELECT message_id::text, fingerprint FROM given_up
