-- name: create_link
INSERT INTO sign_in_links (token_hash, reader, expires_at) VALUES ($1, $2, $3)

-- name: use_link
UPDATE sign_in_links SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING reader

-- name: start_session
INSERT INTO sessions (token_hash, reader, expires_at) VALUES ($1, $2, $3)

-- name: session
SELECT reader FROM sessions WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $2

-- name: end_session
UPDATE sessions SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL

-- name: opening
SELECT purpose, recorded_at FROM openings WHERE session = $1 AND case_id = $2

-- name: openings
SELECT case_id, purpose, recorded_at FROM openings WHERE session = $1 ORDER BY recorded_at DESC LIMIT 20

-- name: save_opening
INSERT INTO openings (session, case_id, purpose, recorded_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (session, case_id) DO UPDATE SET purpose = excluded.purpose, recorded_at = excluded.recorded_at
