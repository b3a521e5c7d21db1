SELECT content_pipeline.approve_suggestion(suggestion_id, 'demo', 'shown by the demo')
FROM content_pipeline.content_suggestion
WHERE state = 'open'
ORDER BY suggestion_id
