SELECT r.request_id, s.content_id, s.kind::text AS kind, s.summary, s.evidence
  FROM content_pipeline.regeneration_request AS r
  JOIN content_pipeline.content_suggestion AS s USING (suggestion_id)
 WHERE r.state = 'waiting'
   AND s.state = 'approved'
 ORDER BY r.request_id
