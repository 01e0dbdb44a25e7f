-- name: waiting
SELECT * FROM timeline.board_handoffs
 WHERE (closed_ms IS NULL OR jsonb_array_length(steps) > 0) AND ($2::text IS NULL OR target = $2 OR source = $2)
 ORDER BY array_position(ARRAY['emergency', 'high', 'normal', 'low'], urgency), requested_ms, reference
 LIMIT $1

-- name: open
SELECT * FROM timeline.board_handoffs WHERE closed_ms IS NULL

-- name: requested
SELECT * FROM timeline.board_handoffs WHERE requested_ms >= $1 AND requested_ms < $2

-- name: institutions
SELECT target, count(*) AS open,
       count(*) FILTER (WHERE steps @> '[{"missed": true}]') AS late,
       count(*) FILTER (WHERE delivered_ms IS NOT NULL AND opened_ms IS NULL AND answered_ms IS NULL) AS unseen,
       count(*) FILTER (WHERE answered_ms IS NOT NULL) AS accepted,
       min(requested_ms) AS oldest_ms
  FROM timeline.board_handoffs WHERE closed_ms IS NULL
 GROUP BY target ORDER BY late DESC, open DESC, target

-- name: escalations
SELECT escalation, handoff FROM timeline.board_escalations WHERE escalation = ANY($1::uuid[])

-- name: position
SELECT next_offset, record_ms, rules FROM timeline.board_position
