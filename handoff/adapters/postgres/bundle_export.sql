-- name: be_patient
-- Whoever takes a bundle over HTTP sets the pace, and holds the snapshot meanwhile; not for ever.
SET idle_in_transaction_session_timeout = '60s'

-- name: hold
-- A rebuild that is ready puts its tables in place only when this transaction is over.
LOCK TABLE timeline.position IN ACCESS SHARE MODE

-- name: first_of_case
SELECT min(record_offset) FROM timeline.entries WHERE case_tag = $1

-- name: receipts
SELECT note FROM proof.receipts JOIN timeline.entries USING (record_offset)
 WHERE case_tag = $1 AND size <= $2 ORDER BY record_offset

-- name: entries
SELECT record_offset, appended_ms, record_hash, case_tag, tag_sequence, previous_leaf, wanted,
       CASE WHEN wanted THEN key END AS key,
       CASE WHEN wanted THEN headers END AS headers,
       CASE WHEN wanted THEN value END AS value
  FROM timeline.entries, LATERAL (SELECT case_tag = ANY($2::bytea[])) AS asked (wanted)
 WHERE record_offset < $1 ORDER BY record_offset
