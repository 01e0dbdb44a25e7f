-- name: idempotency_keys
DELETE FROM idempotency WHERE key_hash IN (
    SELECT key_hash FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING true

-- name: sign_in_links
DELETE FROM sign_in_links WHERE token_hash IN (
    SELECT token_hash FROM sign_in_links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING true

-- name: sessions
DELETE FROM sessions WHERE token_hash IN (
    SELECT token_hash FROM sessions WHERE least(ended_at, expires_at) < $1
     ORDER BY least(ended_at, expires_at) LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING true

-- name: openings
DELETE FROM openings WHERE (session, case_id) IN (
    SELECT session, case_id FROM openings WHERE recorded_at < $1 ORDER BY recorded_at LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING true
