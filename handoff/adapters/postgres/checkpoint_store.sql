-- name: tree_head
SELECT next_offset, frontier FROM position WHERE epoch = $1

-- name: newest
SELECT number, due_ms, size, root, request FROM proof.checkpoints ORDER BY number DESC LIMIT 1

-- name: root
SELECT root FROM proof.checkpoints WHERE size = $1 LIMIT 1

-- name: store_checkpoint
-- A new leader waits for this statement, or this statement finds the epoch changed.
WITH writer AS (SELECT FROM position WHERE epoch = $1 FOR SHARE)
INSERT INTO proof.checkpoints (number, due_ms, size, root, request)
SELECT $2, $3, $4, $5, $6 FROM writer RETURNING number

-- name: unpublished
SELECT number, due_ms, size, root, request
  FROM proof.checkpoints
 WHERE number > (SELECT published FROM proof.progress)
 ORDER BY number
 LIMIT 100

-- name: mark_published
UPDATE proof.progress SET published = greatest(published, $1)

-- name: reset_publication
UPDATE proof.progress SET published = 0, next_collected = 0

-- name: next_offset
SELECT next_collected FROM proof.progress

-- name: check_epoch
SELECT FROM position WHERE epoch = $1 FOR SHARE

-- name: advance_offset
UPDATE proof.progress SET next_collected = $1

-- name: store_cosignature
INSERT INTO proof.cosignatures AS stored (size, cosigner, cosigned_at, line) VALUES ($1, $2, $3, $4)
    ON CONFLICT (size, cosigner) DO UPDATE SET cosigned_at = excluded.cosigned_at, line = excluded.line
 WHERE stored.cosigned_at < excluded.cosigned_at

-- name: cosigners
SELECT cosigner FROM proof.cosignatures WHERE size = $1

-- name: receipt_progress
-- Progress of receipts, and the size of the last published checkpoint.
SELECT next_receipt,
       coalesce((SELECT size FROM proof.checkpoints WHERE number = published), 0) AS size
  FROM proof.progress

-- name: due_receipts
-- An entry that is delivered to no member has no reader to request a receipt.
SELECT record_offset, record_hash, subject, emitter, event_id, rules, verdict, reason
  FROM entries
 WHERE record_offset >= $1 AND record_offset < $2 AND cardinality(recipients) > 0
   AND verdict IN ('effective', 'ineffective')
 ORDER BY record_offset

-- name: advance_receipts
UPDATE proof.progress SET next_receipt = $2 WHERE next_receipt = $1 RETURNING 1
