-- name: exchange_caught_up
SELECT next_offset = $1 AND NOT EXISTS (SELECT FROM routed) FROM position

-- name: timeline_caught_up
SELECT next_offset = $1 FROM timeline.position

-- name: orders
SELECT record_offset, value FROM timeline.entries
 WHERE event_type = 'value.redacted.v1' AND verdict = 'effective' ORDER BY record_offset

-- name: has_replaced
SELECT to_regnamespace('timeline_replaced') IS NOT NULL

-- name: inbox
UPDATE inbox SET value = $2 WHERE sha256(value) = $1

-- name: outbox
-- Keep the row, so that no policy issues the same event again.
UPDATE outbox SET value = $2, referral = NULL, outcome = 'invalid', reason = 'redacted' WHERE value_hash = $1

-- name: has_stubs
SELECT EXISTS (SELECT FROM inbox WHERE value = ANY($1::bytea[]))
    OR EXISTS (SELECT FROM outbox WHERE value = ANY($1::bytea[]))

-- name: delete_seen
DELETE FROM seen WHERE value_hash = ANY($1::text[])

-- name: delete_cases
DELETE FROM cases WHERE case_id = ANY($1::uuid[])

-- name: delete_timers
DELETE FROM timers WHERE case_id = $1 AND NOT holder = ANY($2::uuid[])

-- name: timeline_cases
SELECT case_id, state FROM timeline.cases WHERE case_id = ANY($1::uuid[])

-- name: segments_ahead
SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' AND name > pg_walfile_name(pg_current_wal_lsn())

-- name: switch_segment
SELECT pg_logical_emit_message(false, 'handoff', 'redaction'), pg_switch_wal()
