-- name: be_patient
-- An HTTP client sets the pace of a bundle and holds the snapshot open. This bounds its duration.
SET idle_in_transaction_session_timeout = '60s'

-- name: hold
-- A finished rebuild replaces the tables only after this transaction.
LOCK TABLE timeline.position IN ACCESS SHARE MODE

-- name: first_of_case
SELECT record_offset, value_hash FROM timeline.entries
 WHERE sha256(coalesce(key, '')) = sha256($1::bytea) ORDER BY tag_sequence LIMIT 1

-- name: receipts
SELECT note FROM proof.receipts JOIN timeline.entries USING (record_offset)
 WHERE sha256(coalesce(key, '')) = sha256($1::bytea) AND size <= $2 ORDER BY record_offset

-- name: entries
SELECT record_offset, appended_ms, record_hash, case_tag, tag_sequence, previous_leaf, wanted,
       CASE WHEN wanted THEN key END AS key,
       CASE WHEN wanted THEN headers END AS headers,
       CASE WHEN wanted THEN value END AS value
  FROM timeline.entries, LATERAL (SELECT case_tag = ANY($2::bytea[])) AS asked (wanted)
 WHERE record_offset < $1 ORDER BY record_offset
