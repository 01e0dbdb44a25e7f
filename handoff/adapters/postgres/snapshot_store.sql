-- name: load
SELECT content FROM snapshot ORDER BY part

-- name: clear
DELETE FROM snapshot

-- name: add
INSERT INTO snapshot (part, content) VALUES ($1, $2)
