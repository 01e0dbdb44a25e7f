-- name: store_answers
INSERT INTO idempotency (key_hash, fingerprint, answer, created_at)
-- Lock in a fixed order, so that two transactions cannot deadlock.
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS kept (key_hash) ORDER BY key_hash
ON CONFLICT DO NOTHING RETURNING true

-- name: directory
-- The state only if the caller's digest is not the stored one.
SELECT digest, CASE WHEN digest = $1 THEN NULL ELSE state END AS state FROM directory

-- name: known
SELECT * FROM known_state($1, $2, $3, $4, $5, $6)

-- name: save_clock
INSERT INTO record_clock (offset_ms, record_time) VALUES ($1, $2)
ON CONFLICT (only_row) DO UPDATE SET offset_ms = excluded.offset_ms, record_time = excluded.record_time

-- name: enqueue
INSERT INTO outbox (id, subject, referral, type, value, value_hash, created_at)
SELECT id, subject, referral, type, value, value_hash, created_at
  FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::bytea[], $6::text[], $7::timestamptz[])
       WITH ORDINALITY AS decided (id, subject, referral, type, value, value_hash, created_at, place)
 ORDER BY place
ON CONFLICT (id) DO NOTHING RETURNING true

-- name: position
SELECT next_offset, sequence, chain FROM position WHERE epoch = coalesce($1, epoch) FOR UPDATE

-- name: store_inbox
WITH moved AS (UPDATE position SET next_offset = $1, sequence = $2, chain = $3), added AS (
INSERT INTO inbox (sequence, kafka_offset, key, value, headers, record_time, outcome, reason, own,
                   chain, proof, rules)
SELECT * FROM unnest($4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[], $8::bytea[], $9::timestamptz[],
                     $10::text[], $11::text[], $12::boolean[], $13::bytea[], $14::bytea[], $15::integer[])
RETURNING sequence, own, outcome
)
-- Entries of others await the log's receipt; own ones await it in the outbox.
INSERT INTO received (sequence) SELECT sequence FROM added WHERE NOT own AND outcome IN ('effective', 'ineffective')

-- name: last_inbox_entry
SELECT * FROM inbox ORDER BY sequence DESC LIMIT 1

-- name: inbox_rows
SELECT * FROM inbox WHERE sequence = ANY($1)

-- name: store_broken
INSERT INTO broken_deliveries (kafka_offset, why, key, value, headers, found_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING

-- name: skip_unsigned
UPDATE position SET next_offset = $1 + 1
 WHERE next_offset = $1
   AND EXISTS (SELECT FROM broken_deliveries WHERE kafka_offset = $1 AND why IN ('not_signed', 'malformed'))
RETURNING true

-- name: settle
INSERT INTO outbox AS own (id, subject, referral, type, value, value_hash, created_at,
                           outcome, reason, echo_sequence, settled_at, echoed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $7, now())
ON CONFLICT (id) DO UPDATE
   SET outcome = excluded.outcome, reason = excluded.reason, echo_sequence = excluded.echo_sequence,
       settled_at = excluded.settled_at, echoed_at = excluded.echoed_at
 WHERE own.value_hash = excluded.value_hash

-- name: refuse
UPDATE outbox SET outcome = 'invalid', reason = $2, echo_sequence = $3, settled_at = $4
 WHERE value_hash = $1 AND outcome IS NULL

-- name: mark_key_refused
UPDATE outbox SET reason = $2 WHERE value_hash = ANY($1) AND outcome IS NULL

-- name: unknown_events
SELECT id FROM unnest($1::uuid[]) AS named (id) WHERE NOT EXISTS (SELECT FROM outbox WHERE outbox.id = named.id)

-- name: save_directory
INSERT INTO directory (state, sequence) VALUES ($1, $2)
ON CONFLICT (only_row) DO UPDATE SET state = excluded.state, sequence = excluded.sequence

-- name: save_cases
WITH kept AS (
    INSERT INTO cases (id, state, sequence) SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bigint[])
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, sequence = excluded.sequence
)
INSERT INTO referrals (case_id, id, source, target, service, urgency, danger, state, code,
                       requested_at, since, due_at, delivered_at, opened_at, seen)
SELECT * FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::smallint[],
                     $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[],
                     $16::timestamptz[], $17::timestamptz[], $18::integer[])
ON CONFLICT (case_id, id) DO UPDATE
   SET state = excluded.state, code = excluded.code, since = excluded.since, due_at = excluded.due_at,
       delivered_at = excluded.delivered_at, opened_at = excluded.opened_at, seen = excluded.seen

-- name: save_escalations
WITH closed AS (DELETE FROM escalations WHERE reference = ANY($1::uuid[]))
INSERT INTO escalations (reference, state, sequence) SELECT * FROM unnest($2::uuid[], $3::bytea[], $4::bigint[])
ON CONFLICT (reference) DO UPDATE SET state = excluded.state, sequence = excluded.sequence

-- name: escalations
SELECT state FROM escalations ORDER BY sequence

-- name: park
INSERT INTO parked (case_id, referral, sequence, why) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: quarantine
INSERT INTO quarantine (sequence, kafka_offset, code, value_hash) VALUES ($1, $2, $3, $4)

-- name: release_stub
DELETE FROM quarantine WHERE code = $1 AND value_hash = $2

-- name: held_stubs
SELECT * FROM quarantine WHERE starts_with(code, $1) ORDER BY sequence

-- name: pop_unreacted
UPDATE cases SET needs_reaction = false
 WHERE id IN (SELECT id FROM cases WHERE needs_reaction ORDER BY id LIMIT $1) RETURNING id

-- name: mark_unreacted
UPDATE cases SET needs_reaction = true WHERE id = ANY($1)

-- name: mark_all_unreacted
WITH marked AS (UPDATE cases SET needs_reaction = true RETURNING 1) SELECT count(*) FROM marked

-- name: delete_folded
WITH work_list AS (DELETE FROM referrals), found AS (DELETE FROM directory), late AS (DELETE FROM escalations),
     aside AS (DELETE FROM parked), unread AS (DELETE FROM quarantine)
DELETE FROM cases

-- name: inbox
SELECT * FROM inbox ORDER BY sequence

-- name: digests
-- Hash of the rows' hashes, so that no value grows with the content of the table.
SELECT name, encode(sha256(string_agg(row_hash, '' ORDER BY row_hash)), 'hex') AS digest FROM (
    SELECT name, sha256(convert_to(line, 'UTF8')) AS row_hash FROM (
        SELECT 'cases' AS name, ROW(id, encode(state, 'hex'), sequence)::text AS line FROM cases
        UNION ALL SELECT 'referrals', referrals::text FROM referrals
        UNION ALL SELECT 'directory', ROW(encode(state, 'hex'), sequence)::text FROM directory
        UNION ALL SELECT 'escalations', ROW(reference, encode(state, 'hex'), sequence)::text FROM escalations
        UNION ALL SELECT 'parked', parked::text FROM parked
        UNION ALL SELECT 'quarantine', quarantine::text FROM quarantine
    ) AS folded
) AS hashed GROUP BY name

-- name: unpublished
SELECT id FROM outbox WHERE echo_sequence IS NULL ORDER BY position

-- name: stored
SELECT id FROM outbox WHERE id = ANY($1)

-- name: outcomes
SELECT id, outcome, reason FROM outbox WHERE id = ANY($1) AND outcome IS NOT NULL

-- name: referrals
SELECT r.*, p.referral IS NOT NULL AS is_parked, c.state AS case_state
  FROM referrals AS r JOIN cases AS c ON c.id = r.case_id
  LEFT JOIN parked AS p ON p.case_id = r.case_id AND p.referral = r.id
 WHERE ($1::uuid IS NULL OR (r.danger, r.requested_at, r.case_id, r.id) >
                            (SELECT danger, requested_at, case_id, id FROM referrals WHERE case_id = $1 AND id = $2))
   AND (cardinality($4::text[]) = 0 OR r.state = ANY($4))
   AND ($5::text IS NULL OR r.source = $5) AND ($6::text IS NULL OR r.target = $6)
 ORDER BY r.danger, r.requested_at, r.case_id, r.id LIMIT $3

-- name: feed
SELECT i.sequence, i.value, i.record_time, i.outcome, i.reason, i.own,
       (SELECT o.id FROM outbox AS o WHERE o.echo_sequence = i.sequence ORDER BY o.position LIMIT 1) AS settles
  FROM inbox AS i
 WHERE i.sequence > $1 ORDER BY i.sequence LIMIT $2

-- name: feed_end
SELECT sequence FROM position

-- name: awaited_cases
SELECT state FROM cases WHERE id IN (SELECT case_id FROM referrals WHERE due_at IS NOT NULL) ORDER BY id

-- name: open_referrals
-- One statement, so one snapshot.
WITH open AS (SELECT id, case_id FROM referrals WHERE state = ANY($1))
SELECT (SELECT sequence FROM position) AS sequence,
       ARRAY(SELECT state FROM cases WHERE id IN (SELECT case_id FROM open) ORDER BY id) AS cases,
       ARRAY(SELECT ROW(case_id, referral) FROM parked) AS parked

-- name: backlog
SELECT count(*) FILTER (WHERE sent_at IS NULL) AS unsent, count(*) AS unechoed,
       coalesce(extract(epoch FROM $1::timestamptz - min(created_at)), 0)::float8 AS oldest_seconds,
       (SELECT count(*) FROM parked) AS parked, (SELECT count(*) FROM quarantine) AS quarantined,
       coalesce((SELECT offset_ms FROM record_clock), 0) AS clock_offset_ms,
       (SELECT sequence FROM position) AS sequence, (SELECT paused FROM relay) AS paused
  FROM outbox WHERE outcome IS NULL

-- name: start_intake_epoch
UPDATE position SET epoch = epoch + 1 RETURNING epoch, next_offset, sequence, chain

-- name: start_relay_epoch
UPDATE relay SET epoch = epoch + 1 RETURNING epoch

-- name: pause
UPDATE relay SET paused = $1

-- name: due
-- No event while the relay is paused; no row if the epoch is over.
SELECT relay.paused, (SELECT digest FROM directory) AS digest,
       (SELECT CASE WHEN digest = $4 THEN NULL ELSE state END FROM directory) AS directory,
       (SELECT offset_ms FROM record_clock) AS offset_ms, (SELECT record_time FROM record_clock) AS record_time,
       ARRAY(SELECT ROW(id, subject, type, value) FROM due_events($2, $3) WHERE NOT relay.paused ORDER BY position) AS events
  FROM relay WHERE epoch = $1

-- name: resend_key_refused
-- A row without an outcome has a reason only if its key was not in force.
UPDATE outbox SET next_attempt_at = $1, reason = NULL WHERE outcome IS NULL AND reason IS NOT NULL

-- name: mark_sent
WITH mine AS (SELECT epoch FROM relay WHERE epoch = $1 FOR SHARE),
     sending AS MATERIALIZED (SELECT nextval('sendings') AS number FROM mine)
UPDATE outbox
   SET sent_at = $3::timestamptz, sent_number = sending.number, attempts = attempts + 1,
       -- A row with an echo was answered for an earlier, unacknowledged send.
       first_number = CASE WHEN outcome IS NULL THEN coalesce(first_number, sending.number) ELSE first_number END,
       next_attempt_at = $3::timestamptz + make_interval(secs => least($4::float8 * power(4, attempts), 3600))
  FROM sending WHERE id = ANY($2) RETURNING id
