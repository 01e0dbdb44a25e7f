-- name: proven
SELECT size, note, topic_offset FROM proven

-- name: prove
UPDATE proven SET size = $1, note = $2, topic_offset = $3 WHERE size < $1

-- name: without_receipt
SELECT o.position, i.key, i.value, i.headers
  FROM outbox AS o JOIN inbox AS i ON i.sequence = o.echo_sequence AND i.own
 WHERE o.outcome IN ('effective', 'ineffective') AND o.receipt IS NULL AND o.position > $1 ORDER BY o.position LIMIT $2

-- name: store_receipts
UPDATE outbox SET receipt = given.receipt, value = NULL
  FROM unnest($1::uuid[], $2::bytea[]) AS given (id, receipt)
 WHERE outbox.id = given.id AND outbox.receipt IS NULL

-- name: missed
UPDATE outbox AS o SET receipt_missed_at = $2
  FROM inbox AS i
 WHERE i.sequence = o.echo_sequence AND i.own
   AND o.outcome IN ('effective', 'ineffective') AND o.receipt IS NULL
   AND o.receipt_missed_at IS NULL AND o.echoed_at < $1
RETURNING o.id
