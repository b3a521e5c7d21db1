CREATE OR REPLACE FUNCTION content_pipeline.rate_z_score(
    hits            numeric,
    trials          numeric,
    baseline_hits   numeric,
    baseline_trials numeric
) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    2 * (asin(sqrt((hits / nullif(trials, 0))::float8))
         - asin(sqrt((baseline_hits / nullif(baseline_trials, 0))::float8)))
    / sqrt((1 / nullif(trials, 0) + 1 / nullif(baseline_trials, 0))::float8)
)::numeric;

COMMENT ON FUNCTION content_pipeline.rate_z_score(numeric, numeric, numeric, numeric) IS
    'By how many standard errors a rate is above its baseline; null without trials. Arcsine test: the plain z-test gives up to ten times as many false alarms for small rates.';
