CREATE OR REPLACE FUNCTION content_pipeline.rate_error(
    hits            numeric,
    trials          numeric,
    baseline_hits   numeric,
    baseline_trials numeric
) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT sqrt(pooled.rate * (1 - pooled.rate) * (1 / nullif(trials, 0) + 1 / nullif(baseline_trials, 0)))
      FROM (SELECT (hits + baseline_hits) / nullif(trials + baseline_trials, 0)) AS pooled (rate)
);

COMMENT ON FUNCTION content_pipeline.rate_error(numeric, numeric, numeric, numeric) IS
    'Standard error of the difference of two rates if both were the same (two-proportion z-test); null without trials.';
