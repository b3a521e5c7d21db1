SELECT suggestion_id, content_id, kind::text, summary, state
FROM content_pipeline.content_suggestion
ORDER BY suggestion_id
