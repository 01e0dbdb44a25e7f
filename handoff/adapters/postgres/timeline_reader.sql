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

-- name: status
-- The whole strands of the status and of the directory.
SELECT record_offset, appended_ms, key, value, headers, case_tag, tag_sequence, previous_leaf, leaf,
       record_ms, verdict, reason, subject, event_id, event_type, emitter, referral, reference, rules, recipients,
       true AS is_of_strand
  FROM timeline.entries
 WHERE sha256(coalesce(key, '')) IN (sha256($1::bytea), sha256($2::bytea))
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

-- name: entries_between
SELECT count(*) FROM timeline.entries WHERE record_offset >= $1 AND record_offset < $2

-- name: missing_offsets
SELECT missing FROM generate_series($1::bigint, $2::bigint - 1) AS missing
 WHERE NOT EXISTS (SELECT FROM timeline.entries WHERE record_offset = missing) ORDER BY missing LIMIT 20

-- name: present
SELECT record_offset FROM timeline.entries WHERE record_offset = ANY($1::bigint[])

-- name: handoffs
SELECT * FROM timeline.handoffs
 WHERE ($1::uuid IS NULL OR case_id = $1)
   AND ($2::text IS NULL OR service = $2)
   AND ($3::text IS NULL OR urgency = $3)
   AND (NOT $4::boolean OR closed_ms IS NULL)
 ORDER BY requested_ms, case_id, referral

-- name: figures
-- Counts, quantiles (Kaplan-Meier) and greatest ages of waits, by group and measure: of the stored waits, and of those that last, which
-- the caller measured. The arithmetic is that of `handoff.views.survival`, in the same order, so that the result is the same number.
WITH waits AS (
    SELECT CASE $1 WHEN 'service' THEN ARRAY[service, urgency] WHEN 'institution' THEN ARRAY[target] ELSE ARRAY[source, target] END AS group_key,
           measure, wait_us, ended, lasts
      FROM (SELECT service, urgency, source, target, measure, wait_us, ended, false AS lasts
              FROM timeline.handoffs, unnest(waits_us, waits_ended) WITH ORDINALITY AS stored (wait_us, ended, measure)
             WHERE wait_us IS NOT NULL
             UNION ALL
            SELECT service, urgency, source, target, measure, wait_us, false, true
              FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
                   AS lasting (service, urgency, source, target, measure, wait_us)) AS measured
), durations AS (
    SELECT group_key, measure, wait_us, count(*)::integer AS here,
           count(*) FILTER (WHERE ended) AS ends, count(*) FILTER (WHERE lasts) AS lasting
      FROM waits GROUP BY group_key, measure, wait_us
), at_risk AS (
    SELECT *, sum(here) OVER (PARTITION BY group_key, measure)
              - sum(here) OVER (PARTITION BY group_key, measure ORDER BY wait_us ROWS UNBOUNDED PRECEDING) + here AS observed
      FROM durations
), shares AS (
    SELECT *, product(1 - ends::float8 / observed::float8)
              OVER (PARTITION BY group_key, measure ORDER BY wait_us ROWS UNBOUNDED PRECEDING) AS longer
      FROM at_risk
)
SELECT group_key, measure, sum(here) AS count, sum(lasting)::bigint AS open,
       min(wait_us) FILTER (WHERE longer <= $8) AS p50_us, min(wait_us) FILTER (WHERE longer <= $9) AS p90_us,
       max(wait_us) FILTER (WHERE lasting > 0) AS oldest_us
  FROM shares GROUP BY group_key, measure

-- name: rules
SELECT rules FROM timeline.entries ORDER BY record_offset DESC LIMIT 1

-- name: next_offset
SELECT next_offset FROM timeline.position
