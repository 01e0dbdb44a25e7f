-- name: proven
SELECT size, note, topic_offset FROM proven

-- name: prove
UPDATE proven SET size = $1, note = $2, topic_offset = $3 WHERE size < $1

-- name: own_without_receipt
SELECT o.position, i.sequence, i.key, i.value, i.headers, i.outcome, i.reason, i.rules
  FROM outbox AS o JOIN inbox AS i ON i.sequence = o.echo_sequence AND i.own
 WHERE o.outcome IN ('effective', 'ineffective') AND o.receipt IS NULL AND o.position > $1 ORDER BY o.position LIMIT $2

-- name: received_without_receipt
SELECT i.sequence AS position, i.sequence, i.key, i.value, i.headers, i.outcome, i.reason, i.rules
  FROM received AS r JOIN inbox AS i USING (sequence)
 WHERE r.receipt IS NULL AND r.sequence > $1 ORDER BY r.sequence LIMIT $2

-- name: store_own_receipts
UPDATE outbox SET receipt = given.receipt, value = NULL
  FROM unnest($1::bigint[], $2::bytea[]) AS given (sequence, receipt)
 WHERE outbox.echo_sequence = given.sequence AND outbox.receipt IS NULL
   AND outbox.outcome IN ('effective', 'ineffective')

-- name: store_received_receipts
UPDATE received SET receipt = given.receipt
  FROM unnest($1::bigint[], $2::bytea[]) AS given (sequence, receipt)
 WHERE received.sequence = given.sequence AND received.receipt IS NULL

-- name: store_contradiction
INSERT INTO contradicting_receipts (sequence, why, receipt, found_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: contradictions
SELECT count(*) AS number FROM contradicting_receipts

-- name: missed_received
UPDATE received SET receipt_missed_at = $2
 WHERE receipt IS NULL AND receipt_missed_at IS NULL AND received_at < $1
RETURNING sequence

-- name: missed
UPDATE outbox AS o SET receipt_missed_at = $2
  FROM inbox AS i
 WHERE i.sequence = o.echo_sequence AND i.own
   AND o.outcome IN ('effective', 'ineffective') AND o.receipt IS NULL
   AND o.receipt_missed_at IS NULL AND o.echoed_at < $1
RETURNING o.id
