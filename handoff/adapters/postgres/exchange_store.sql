-- name: take_over
UPDATE position SET epoch = epoch + 1, alive_at = clock_timestamp()
 WHERE alive_at < clock_timestamp() - make_interval(secs => $1)
RETURNING epoch, next_offset, record_time

-- name: read_position
SELECT epoch, next_offset, record_time FROM position

-- name: stay_alive
UPDATE position SET alive_at = clock_timestamp() WHERE epoch = $1 RETURNING 1

-- name: lay_down
UPDATE position SET alive_at = '-infinity' WHERE epoch = $1

-- name: advance
UPDATE position SET next_offset = $3, record_time = $4, alive_at = clock_timestamp()
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

-- name: first_hashes
SELECT subject, event_id, value_hash
  FROM seen JOIN unnest($1::text[], $2::uuid[]) AS wanted (subject, event_id) USING (subject, event_id)

-- name: announcements
SELECT record_offset, record_time, key, value, header_names, header_values FROM announcements ORDER BY record_offset

-- name: given
SELECT member, given FROM inboxes

-- name: keep_count
-- First occurrences, and the number of entries of each inbox.
WITH first AS (
    INSERT INTO seen (subject, event_id, value_hash) SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[])
)
INSERT INTO inboxes (member, given) SELECT * FROM unnest($4::text[], $5::bigint[])
ON CONFLICT (member) DO UPDATE SET given = excluded.given

-- name: route
INSERT INTO routed (member, sequence, key, value, header_names, header_values) VALUES ($1, $2, $3, $4, $5, $6)

-- name: announce
INSERT INTO announcements (record_offset, record_time, key, value, header_names, header_values)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: unsent
SELECT sequence, key, value, header_names, header_values
  FROM routed WHERE member = $1 ORDER BY sequence LIMIT $2

-- name: sent
WITH moved AS (
    UPDATE inboxes SET sent = $3
     WHERE member = $1 AND sent < $3 AND EXISTS (SELECT FROM position WHERE epoch = $2)
    RETURNING member
), dropped AS (
    DELETE FROM routed USING moved WHERE routed.member = moved.member AND routed.sequence <= $3
)
SELECT 1 FROM moved

-- name: say
INSERT INTO sayings (event_id, subject, value) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])
ON CONFLICT (event_id) DO NOTHING

-- name: heard
DELETE FROM sayings WHERE event_id = ANY($1::uuid[])

-- name: unheard
SELECT event_id, subject, value FROM sayings ORDER BY position LIMIT $1

-- name: write_cases
-- With the open steps: a step that is no longer open is closed. No row is both closed and set.
WITH written AS (
    INSERT INTO cases (case_id, state) SELECT * FROM unnest($1::uuid[], $2::bytea[])
    ON CONFLICT (case_id) DO UPDATE SET state = excluded.state
), awaited AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[])
        AS step (case_id, holder, step, since, due_at)
), closed AS (
    UPDATE timers SET state = 'closed'
     WHERE case_id = ANY($1::uuid[]) AND state IN ('awaited', 'said')
       AND (case_id, holder, step, since) NOT IN (SELECT case_id, holder, step, since FROM awaited)
)
INSERT INTO timers (case_id, holder, step, since, due_at, ready_at)
SELECT *, due_at + make_interval(secs => $8) FROM awaited
ON CONFLICT (case_id, holder, step, since) DO UPDATE
   SET due_at = excluded.due_at, ready_at = excluded.ready_at, state = 'awaited'
 WHERE timers.state <> 'missed' AND (timers.state = 'closed' OR timers.due_at <> excluded.due_at)

-- name: timer_missed
UPDATE timers SET state = 'missed' WHERE case_id = $1 AND holder = $2 AND step = $3 AND due_at = $4

-- name: timer_early
UPDATE timers SET state = 'awaited', ready_at = clock_timestamp() + make_interval(secs => $5)
 WHERE case_id = $1 AND holder = $2 AND step = $3 AND due_at = $4 AND state = 'said'

-- name: ready_timers
SELECT case_id, holder, step, since, attempt
  FROM timers WHERE state = 'awaited' AND ready_at <= $1 ORDER BY ready_at LIMIT $2

-- name: is_something_late
SELECT EXISTS (SELECT FROM timers WHERE state = 'awaited' AND ready_at <= $1)

-- name: timer_said
UPDATE timers SET state = 'said', attempt = attempt + 1
 WHERE case_id = $1 AND holder = $2 AND step = $3 AND since = $4

-- name: backlog
SELECT (SELECT count(*) FROM routed) AS routed, (SELECT count(*) FROM sayings) AS sayings
