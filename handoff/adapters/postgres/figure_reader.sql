-- name: position
-- The newest record time, and the version of the rules in force at a moment.
SELECT record_ms, (SELECT rules FROM timeline.entries WHERE record_ms <= coalesce($1::bigint, position.record_ms)
                    ORDER BY record_offset DESC LIMIT 1) AS rules
  FROM timeline.position

-- name: handoffs
SELECT * FROM timeline.handoffs ORDER BY requested_ms, case_id, referral

-- name: events
SELECT record_ms, value FROM timeline.entries
 WHERE verdict = 'effective' AND regexp_replace(event_type, '[.]v[0-9]+$', '') = ANY($1) ORDER BY record_offset
