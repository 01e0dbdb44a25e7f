-- name: checkpoints
-- Newest first; checkpoints of one size are identical.
SELECT DISTINCT ON (size) request, ARRAY(
       SELECT line FROM proof.cosignatures WHERE cosignatures.size = checkpoints.size ORDER BY cosigner) AS cosignatures
  FROM proof.checkpoints WHERE size <= $1 ORDER BY size DESC, number DESC

-- name: published
SELECT request, due_ms
  FROM proof.checkpoints
 WHERE number <= (SELECT published FROM proof.progress)
 ORDER BY number DESC
 LIMIT $1
