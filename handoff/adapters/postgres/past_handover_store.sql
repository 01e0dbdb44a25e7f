-- name: lock
SELECT pg_try_advisory_lock(hashtextextended('past import ' || $1, 0))

-- name: find
SELECT file_hash, mapping_hash, salt, begun_at, events, is_read, is_done FROM past_imports WHERE name = $1

-- name: begin
INSERT INTO past_imports (name, file_hash, mapping_hash, salt, begun_at) VALUES ($1, $2, $3, $4, $5)

-- name: forget
DELETE FROM past_imports WHERE name = $1

-- name: count_events
UPDATE past_imports SET events = $2, last_at = greatest(last_at, $3) WHERE name = $1

-- name: count_refusals
INSERT INTO past_refusals (name, reason, count, examples) VALUES ($1, $2, $3, $4)
ON CONFLICT (name, reason) DO UPDATE
   SET count = past_refusals.count + excluded.count,
       examples = (SELECT array_agg(number ORDER BY number)
                     FROM (SELECT unnest(past_refusals.examples || excluded.examples) AS number
                            ORDER BY number LIMIT 5) AS first)

-- name: finish_reading
UPDATE past_imports SET is_read = true WHERE name = $1

-- name: next_cases
SELECT e.case_key, e.number, e.milestone, e.at, e.group_name
  FROM (SELECT DISTINCT case_key FROM past_events WHERE name = $1 ORDER BY case_key LIMIT $2) AS next
  JOIN past_events AS e ON e.name = $1 AND e.case_key = next.case_key
 ORDER BY e.case_key, e.at, e.number

-- name: forget_cases
DELETE FROM past_events WHERE name = $1 AND case_key = ANY($2::bytea[])

-- name: count_imported
UPDATE past_imports SET imported = imported + $2 WHERE name = $1

-- name: finish
UPDATE past_imports SET is_done = true, salt = NULL WHERE name = $1

-- name: report
SELECT events, imported, last_at, (SELECT count(*) FROM past_handovers WHERE name = $1) AS handovers
  FROM past_imports WHERE name = $1

-- name: refusals
SELECT reason, count, examples FROM past_refusals WHERE name = $1 ORDER BY count DESC, reason

-- name: done
SELECT name, last_at FROM past_imports WHERE is_done ORDER BY name

-- name: handovers
SELECT source, target, requested_at, opened_at, answered_at, started_at, ended_at, superseded_at, paused_at, paused,
       paused_before_open, paused_before_answer, paused_before_start
  FROM past_handovers WHERE name = $1
