-- name: case_exists
SELECT EXISTS (SELECT FROM timeline.entries WHERE sha256(coalesce(key, '')) = sha256($1::bytea))

-- name: raw_entries
SELECT record_offset, appended_ms, value, headers, record_hash, leaf, tag_sequence
  FROM timeline.entries
 WHERE sha256(coalesce(key, '')) = sha256($1::bytea) AND record_ms <= $2 ORDER BY tag_sequence

-- name: receipts_of_emitter
SELECT entries.subject, entries.event_id, receipts.note
  FROM unnest($2::text[], $3::uuid[]) AS requested (subject, event_id)
  JOIN timeline.entries ON entries.subject = requested.subject AND entries.event_id = requested.event_id
  JOIN proof.receipts USING (record_offset)
 WHERE entries.emitter = $1 AND entries.verdict IN ('effective', 'ineffective')
