-- name: verdicts
-- The stored verdicts on the entries from an offset on, before another one.
SELECT record_offset, rules, verdict, reason
  FROM timeline.entries WHERE record_offset >= $1 AND record_offset < $2 ORDER BY record_offset

-- name: next_offset
SELECT next_offset FROM timeline.position
