-- name: take_over
UPDATE position SET epoch = epoch + 1 RETURNING epoch, next_offset, record_ms, frontier

-- name: take_over_stalled
UPDATE position SET epoch = epoch + 1 WHERE epoch = $1 AND next_offset = $2 RETURNING epoch

-- name: read_position
SELECT epoch, next_offset, record_ms, frontier FROM position

-- name: advance
UPDATE position SET next_offset = $3, record_ms = $4, frontier = $5
 WHERE epoch = $1 AND next_offset = $2 RETURNING 1

-- name: last_entry
SELECT record_offset, appended_ms, record_hash FROM entries ORDER BY record_offset DESC LIMIT 1

-- name: last_due
SELECT due_ms FROM proof.checkpoints ORDER BY number DESC LIMIT 1

-- name: directory
SELECT state FROM directory

-- name: write_directory
INSERT INTO directory (state) VALUES ($1) ON CONFLICT (only_row) DO UPDATE SET state = excluded.state

-- name: cases
SELECT state FROM cases WHERE case_id = ANY($1::uuid[])

-- name: write_cases
INSERT INTO cases (case_id, state) SELECT * FROM unnest($1::uuid[], $2::bytea[])
ON CONFLICT (case_id) DO UPDATE SET state = excluded.state

-- name: escalations
SELECT state FROM escalations WHERE reference = ANY($1::uuid[])

-- name: write_escalations
WITH closed AS (DELETE FROM escalations WHERE reference = ANY($1::uuid[]))
INSERT INTO escalations (reference, state) SELECT * FROM unnest($2::uuid[], $3::bytea[])
ON CONFLICT (reference) DO UPDATE SET state = excluded.state

-- name: heads
SELECT wanted, head.case_tag, head.tag_sequence, head.leaf
  FROM unnest($1::bytea[]) AS wanted
 CROSS JOIN LATERAL (
       SELECT case_tag, tag_sequence, leaf FROM entries
        WHERE sha256(coalesce(key, '')) = sha256(wanted) ORDER BY tag_sequence DESC LIMIT 1
       ) AS head

-- name: first_hashes
SELECT place, value_hash
  FROM entries JOIN unnest($1::text[], $2::text[], $3::uuid[]) WITH ORDINALITY AS wanted (subject, emitter, event_id, place)
       USING (subject, emitter, event_id)
 WHERE verdict IN ('effective', 'ineffective')

-- name: write_handoff
INSERT INTO handoffs AS kept (
    case_id, referral, source, target, service, urgency, state, requested_ms, delivered_ms, opened_ms, answered_ms,
    started_ms, closed_ms, due_ms, place_held_until_ms, place_agreed_ms, chain_root, hop, ended_as, ended_code,
    pauses, steps, waits_us, waits_ended)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
ON CONFLICT (case_id, referral) DO UPDATE SET
    state = excluded.state,
    delivered_ms = excluded.delivered_ms,
    opened_ms = excluded.opened_ms,
    answered_ms = excluded.answered_ms,
    started_ms = excluded.started_ms,
    closed_ms = excluded.closed_ms,
    due_ms = excluded.due_ms,
    place_held_until_ms = excluded.place_held_until_ms,
    place_agreed_ms = excluded.place_agreed_ms,
    chain_root = excluded.chain_root,
    hop = excluded.hop,
    ended_as = excluded.ended_as,
    ended_code = excluded.ended_code,
    pauses = excluded.pauses,
    steps = excluded.steps,
    waits_us = excluded.waits_us,
    waits_ended = excluded.waits_ended

-- name: write_references
INSERT INTO board_references (reference, case_id, referral) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
ON CONFLICT DO NOTHING
