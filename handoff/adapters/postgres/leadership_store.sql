-- name: leader
SELECT epoch, instance, heartbeat_at FROM leadership

-- name: acquire
UPDATE leadership SET epoch = epoch + 1, instance = $1, heartbeat_at = clock_timestamp()
 WHERE epoch = $2 AND heartbeat_at IS NOT DISTINCT FROM $3
RETURNING epoch

-- name: renew
UPDATE leadership SET heartbeat_at = clock_timestamp() WHERE epoch = $1 RETURNING 1

-- name: release
UPDATE leadership SET heartbeat_at = NULL WHERE epoch = $1
