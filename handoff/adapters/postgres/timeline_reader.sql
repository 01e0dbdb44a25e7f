-- name: strands
-- The strands of a case and of the directory, and the entries about the escalations of the case.
SELECT record_offset, appended_ms, key, value, headers, case_tag, tag_sequence, previous_leaf, leaf,
       record_ms, verdict, reason, subject, event_id, event_type, emitter, referral, reference, rules, recipients,
       sha256(coalesce(key, '')) IN (sha256($1::bytea), sha256($2::bytea)) AS is_of_strand
  FROM timeline.entries
 WHERE sha256(coalesce(key, '')) IN (sha256($1::bytea), sha256($2::bytea))
    OR reference = ANY (ARRAY(SELECT reference FROM timeline.entries
                               WHERE sha256(coalesce(key, '')) = sha256($1::bytea) AND reference IS NOT NULL))
 ORDER BY record_offset

-- name: record_clock
-- How many entries from an offset on, the last one, and the greatest append time.
SELECT count(*) AS entries, max(record_offset) AS last_offset, max(appended_ms) AS greatest_ms
  FROM timeline.entries WHERE record_offset >= $1

-- name: behind_record_time
-- The entries from an offset on that were appended at an earlier time than one before them.
SELECT record_offset, greatest_ms
  FROM (SELECT record_offset, appended_ms, greatest($2, max(appended_ms) OVER (ORDER BY record_offset)) AS greatest_ms
          FROM timeline.entries WHERE record_offset >= $1) AS timed
 WHERE appended_ms < greatest_ms

-- name: entries_below
SELECT count(*) FROM timeline.entries WHERE record_offset < $1

-- name: missing_offsets
SELECT missing FROM generate_series(0::bigint, $1::bigint - 1) AS missing
 WHERE NOT EXISTS (SELECT FROM timeline.entries WHERE record_offset = missing) ORDER BY missing LIMIT 20

-- name: handoffs
SELECT * FROM timeline.handoffs
 WHERE ($1::uuid IS NULL OR case_id = $1)
   AND ($2::text IS NULL OR service = $2)
   AND ($3::text IS NULL OR urgency = $3)
   AND (NOT $4::boolean OR closed_ms IS NULL)
 ORDER BY requested_ms, case_id, referral

-- name: next_offset
SELECT next_offset FROM timeline.position
