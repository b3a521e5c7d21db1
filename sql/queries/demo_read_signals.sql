SELECT content_id, kind::text, baseline, observed, z_score
FROM content_pipeline.analytics_signal
WHERE withdrawn_at IS NULL AND deleted_at IS NULL
ORDER BY content_id, kind
