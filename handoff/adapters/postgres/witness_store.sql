-- name: state
SELECT size, root, note, topic_offset FROM witness

-- name: advance
UPDATE witness SET size = $3, root = $4, note = $5, topic_offset = $6 WHERE size = $1 AND root = $2 RETURNING true

-- name: store_evidence
INSERT INTO log_evidence (offered_hash, why, own, offered, found_at)
VALUES (sha256($3::bytea), $1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: halting_evidence
SELECT why FROM log_evidence WHERE why <> 'inconsistent' ORDER BY found_at LIMIT 1

-- name: adopt
UPDATE witness SET size = $1, root = $2, note = $3, topic_offset = $4
