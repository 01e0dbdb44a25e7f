-- name: case_exists
SELECT EXISTS (SELECT FROM timeline.entries WHERE sha256(coalesce(key, '')) = sha256($1::bytea))

-- name: raw_entries
SELECT record_offset, appended_ms, key, value, headers, leaf, tag_sequence
  FROM timeline.entries
 WHERE record_offset = ANY($1::bigint[]) ORDER BY record_offset

-- name: receipts_for
-- Of the entries that the member emitted or that are delivered to it.
SELECT place, receipts.note
  FROM unnest($2::text[], $3::text[], $4::uuid[]) WITH ORDINALITY AS requested (subject, emitter, event_id, place)
  JOIN timeline.entries USING (subject, emitter, event_id)
  JOIN proof.receipts USING (record_offset)
 WHERE entries.verdict IN ('effective', 'ineffective')
   AND (entries.emitter = $1 OR entries.recipients && ARRAY[$1, '*'])
