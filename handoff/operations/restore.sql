-- name: timeline_entries
SELECT record_offset, appended_ms, key, value, headers, record_hash FROM timeline.entries ORDER BY record_offset

-- name: largest_head
SELECT coalesce(max(size), 0) FROM proof.checkpoints

-- name: unsent
SELECT member, key, value, headers FROM routed ORDER BY member, sequence

-- name: routed_up_to
SELECT next_offset FROM position

-- name: node_position
SELECT next_offset FROM position

-- name: set_position_back
WITH released AS (UPDATE leadership SET epoch = epoch + 1, heartbeat_at = NULL RETURNING epoch)
UPDATE position
   SET next_offset = least(next_offset, $1), last_hash = coalesce($2, last_hash), epoch = released.epoch
  FROM released

-- name: set_directory_back
UPDATE directory SET version = least(version, $1)

-- name: announced_after
SELECT record_offset, value FROM announcements WHERE record_offset >= $1

-- name: move_announcement
-- To a negative offset first, so that no two rows collide before the last move.
UPDATE announcements SET record_offset = -1 - $2::bigint WHERE record_offset = $1

-- name: finish_moves
UPDATE announcements SET record_offset = -1 - record_offset WHERE record_offset < 0
