-- name: start_routing
UPDATE position SET epoch = $1 WHERE epoch <= $1 RETURNING epoch, next_offset, record_time, last_hash

-- name: advance
UPDATE position SET next_offset = $3, record_time = $4, last_hash = $5
 WHERE next_offset = $2 AND epoch = $1
RETURNING 1

-- name: hold_epoch
SELECT 1 FROM position WHERE epoch = $1 FOR UPDATE

-- name: newer_directory
SELECT version, state FROM directory WHERE version > $1

-- name: write_directory
INSERT INTO directory (version, state) VALUES ($1, $2)
ON CONFLICT (only_row) DO UPDATE SET version = excluded.version, state = excluded.state

-- name: cases
SELECT case_id, state FROM cases WHERE case_id = ANY($1::uuid[])

-- name: escalations
-- With the late step behind each, which is on the record first.
SELECT reference, escalations.state AS escalation, overdue.state AS overdue
  FROM overdue FULL JOIN escalations USING (reference) WHERE reference = ANY($1::uuid[])

-- name: write_escalations
WITH closed AS (
    DELETE FROM escalations WHERE reference = ANY($1::uuid[])
), acknowledged AS (
    DELETE FROM overdue WHERE reference = ANY($4::uuid[])
), opened AS (
    INSERT INTO escalations (reference, state) SELECT * FROM unnest($2::uuid[], $3::bytea[])
    ON CONFLICT (reference) DO UPDATE SET state = excluded.state
)
INSERT INTO overdue (reference, state) SELECT * FROM unnest($5::uuid[], $6::bytea[])
ON CONFLICT (reference) DO UPDATE SET state = excluded.state

-- name: first_hashes
SELECT subject, source, event_id, value_hash
  FROM seen JOIN unnest($1::text[], $2::text[], $3::uuid[]) AS wanted (subject, source, event_id)
       USING (subject, source, event_id)

-- name: announcements
SELECT record_offset, record_time, key, value, headers FROM announcements ORDER BY record_offset

-- name: inbox_heads
SELECT member, last_sequence, chain FROM inboxes

-- name: store_heads
-- First occurrences, and the last entry of each inbox.
WITH first AS (
    INSERT INTO seen (subject, source, event_id, value_hash)
    SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[])
)
INSERT INTO inboxes (member, last_sequence, chain) SELECT * FROM unnest($5::text[], $6::bigint[], $7::bytea[])
ON CONFLICT (member) DO UPDATE SET last_sequence = excluded.last_sequence, chain = excluded.chain

-- name: queue_delivery
INSERT INTO routed (member, sequence, key, value, headers, chain) VALUES ($1, $2, $3, $4, $5, $6)

-- name: store_announcement
INSERT INTO announcements (record_offset, record_time, key, value, headers) VALUES ($1, $2, $3, $4, $5)

-- name: queued_deliveries
SELECT sequence, key, value, headers, chain FROM queued_deliveries($1, $2)

-- name: delete_sent
WITH moved AS (
    UPDATE inboxes SET sent = $3
     WHERE member = $1 AND sent < $3 AND EXISTS (SELECT FROM position WHERE epoch = $2)
    RETURNING member
), dropped AS (
    DELETE FROM routed USING moved WHERE routed.member = moved.member AND routed.sequence <= $3
)
SELECT 1 FROM moved

-- name: queue_own_events
INSERT INTO own_outbox (event_id, subject, value) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])
ON CONFLICT (event_id) DO NOTHING

-- name: confirm_own_events
DELETE FROM own_outbox WHERE event_id = ANY($1::uuid[])

-- name: unconfirmed_own_events
SELECT event_id, subject, value FROM own_outbox ORDER BY position LIMIT $1

-- name: write_cases
-- With the timers: one that the case no longer has is closed. No row is both closed and set.
WITH written AS (
    INSERT INTO cases (case_id, state) SELECT * FROM unnest($1::uuid[], $2::bytea[])
    ON CONFLICT (case_id) DO UPDATE SET state = excluded.state
), awaited AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[])
        AS timer (case_id, holder, name, since, due_at)
), closed AS (
    UPDATE timers SET state = 'closed'
     WHERE case_id = ANY($1::uuid[]) AND state IN ('awaited', 'queued')
       AND (case_id, holder, name, since) NOT IN (SELECT case_id, holder, name, since FROM awaited)
)
INSERT INTO timers (case_id, holder, name, since, due_at, ready_at)
SELECT *, due_at + make_interval(secs => $8) FROM awaited
ON CONFLICT (case_id, holder, name, since) DO UPDATE
   SET due_at = excluded.due_at, ready_at = excluded.ready_at, state = 'awaited'
 WHERE timers.state <> 'missed' AND (timers.state = 'closed' OR timers.due_at <> excluded.due_at)

-- name: close_timer
UPDATE timers SET state = 'missed' WHERE case_id = $1 AND holder = $2 AND name = $3 AND since = $4

-- name: rearm_timer
UPDATE timers SET state = 'awaited', ready_at = clock_timestamp() + make_interval(secs => $5)
 WHERE case_id = $1 AND holder = $2 AND name = $3 AND since = $4 AND state = 'queued'

-- name: ready_timers
SELECT case_id, holder, name, since, attempt
  FROM timers WHERE state = 'awaited' AND ready_at <= $1 ORDER BY ready_at LIMIT $2

-- name: has_ready_timers
SELECT EXISTS (SELECT FROM timers WHERE state = 'awaited' AND ready_at <= $1)

-- name: mark_timer_queued
UPDATE timers SET state = 'queued', attempt = attempt + 1
 WHERE case_id = $1 AND holder = $2 AND name = $3 AND since = $4

-- name: backlog
SELECT (SELECT count(*) FROM routed) AS deliveries, (SELECT count(*) FROM own_outbox) AS own_events
