-- name: timeline
SELECT record_offset, record_ms, value, verdict, reason FROM timeline.entries
 WHERE sha256(coalesce(key, '')) = sha256($1::bytea) ORDER BY tag_sequence

-- name: history
SELECT record_offset AS position, record_ms, appended_ms, value, verdict, reason, key = $1 AS is_of_case
  FROM timeline.entries
 WHERE sha256(coalesce(key, '')) = sha256($1::bytea)
    OR sha256(coalesce(key, '')) = (SELECT sha256(key) FROM timeline.entries WHERE record_offset = 0)
       AND verdict = 'effective' AND event_type = ANY ($2)
    OR sha256(coalesce(key, '')) = (SELECT sha256(key || '/status'::bytea) FROM timeline.entries WHERE record_offset = 0)
       AND verdict = 'effective' AND event_type = ANY ($3)
       AND record_offset > (SELECT min(record_offset) FROM timeline.entries
                             WHERE sha256(coalesce(key, '')) = sha256($1::bytea))
 ORDER BY record_offset

-- name: handoffs
SELECT * FROM timeline.handoffs
 WHERE ($1::uuid IS NULL OR case_id = $1)
   AND ($2::text IS NULL OR service = $2)
   AND ($3::text IS NULL OR urgency = $3)
   AND (NOT $4::boolean OR closed_ms IS NULL)
 ORDER BY requested_ms, case_id, referral

-- name: next_offset
SELECT next_offset FROM timeline.position
