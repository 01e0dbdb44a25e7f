-- name: record_time
SELECT record_ms FROM timeline.position

-- name: handoffs
SELECT * FROM timeline.handoffs ORDER BY requested_ms, case_id, referral

-- name: events
SELECT record_ms, value FROM timeline.entries
 WHERE verdict = 'effective' AND regexp_replace(event_type, '[.]v[0-9]+$', '') = ANY($1) ORDER BY record_offset
