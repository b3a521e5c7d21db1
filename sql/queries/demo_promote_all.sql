SELECT content_pipeline.promote_output(generated.output_id, 'demo', 'shown by the demo')
FROM content_pipeline.regeneration_output AS generated
LEFT JOIN content_pipeline.published_output USING (output_id)
WHERE published_output.output_id IS NULL
ORDER BY generated.output_id
