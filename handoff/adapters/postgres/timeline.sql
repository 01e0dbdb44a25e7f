-- name: timeline
SELECT record_offset, record_ms, value, verdict, reason FROM timeline.entries WHERE case_tag = $1 ORDER BY tag_sequence

-- name: handoffs
SELECT * FROM timeline.handoffs
 WHERE ($1::uuid IS NULL OR case_id = $1)
   AND ($2::text IS NULL OR service = $2)
   AND ($3::text IS NULL OR urgency = $3)
   AND (NOT $4::boolean OR closed_ms IS NULL)
 ORDER BY requested_ms, referral

-- name: next_offset
SELECT next_offset FROM timeline.position
