-- Database of a node

-- name: node_nothing opens a connection
SELECT

-- name: redacted_inbox_entries as stubs; the exchange's statements about them stay
SELECT sequence FROM inbox WHERE position('{"redacted":'::bytea IN value) = 1 ORDER BY sequence

-- name: log_evidence
SELECT why, own, offered FROM log_evidence

-- name: idempotency_keys
SELECT * FROM idempotency

-- name: node_rows_with
SELECT 'inbox' FROM inbox WHERE position($1::bytea IN value) > 0
UNION ALL SELECT 'outbox' FROM outbox WHERE position($1::bytea IN value) > 0
UNION ALL SELECT 'cases' FROM cases WHERE position($1::bytea IN state) > 0

-- name: timeline_rows_with
SELECT 'entries' FROM timeline.entries WHERE position($1::bytea IN value) > 0
UNION ALL SELECT 'cases' FROM timeline.cases WHERE position($1::bytea IN state) > 0

-- name: rows_with_retention
SELECT 'idempotency_key' AS kind FROM idempotency UNION ALL SELECT 'sign_in_link' FROM sign_in_links
UNION ALL SELECT 'session' FROM sessions UNION ALL SELECT 'opening' FROM openings

-- name: inconsistency_evidence
SELECT * FROM log_evidence WHERE why = 'inconsistent'

-- name: contradicting_receipts
SELECT sequence, why, receipt FROM contradicting_receipts ORDER BY sequence

-- name: received
SELECT * FROM received ORDER BY sequence

-- name: broken_deliveries
SELECT * FROM broken_deliveries

-- name: node_cases
SELECT * FROM cases ORDER BY id

-- name: node_inbox
SELECT * FROM inbox ORDER BY sequence

-- name: node_position
SELECT sequence FROM position

-- name: outbox
SELECT * FROM outbox ORDER BY position

-- name: outbox_attempts
SELECT attempts, next_attempt_at - sent_at AS pause FROM outbox

-- name: outbox_events
SELECT id, subject, type, value, value_hash FROM outbox ORDER BY position

-- name: outbox_ids_and_values
SELECT id, value FROM outbox ORDER BY position

-- name: outbox_rows_with_receipt
SELECT id FROM outbox WHERE receipt IS NOT NULL

-- name: outbox_rows_with_value
SELECT * FROM outbox WHERE value IS NOT NULL ORDER BY position

-- name: outbox_rows_without_echo
SELECT * FROM outbox WHERE outcome IS NULL ORDER BY position

-- name: outbox_sent_marks
SELECT sent_at IS NOT NULL AS marked FROM outbox

-- name: parked_cases
SELECT why FROM parked

-- name: proven_size
SELECT size FROM proven

-- name: proven_checkpoint
SELECT * FROM proven WHERE size = $1

-- name: quarantine
SELECT sequence, code FROM quarantine

-- name: sent_outbox_rows
SELECT * FROM outbox WHERE sent_at IS NOT NULL ORDER BY position

-- Database of the exchange

-- name: exchange_is_settled
SELECT next_offset = $1 AND NOT EXISTS (SELECT FROM routed) AND NOT EXISTS (SELECT FROM own_outbox) AS settled
  FROM position

-- name: exchange_routed_offset -1 as long as anything is to be sent or confirmed
SELECT CASE WHEN EXISTS (SELECT FROM routed) OR EXISTS (SELECT FROM own_outbox) THEN -1 ELSE next_offset END AS next_offset
  FROM position

-- name: exchange_case_states
SELECT state FROM cases ORDER BY case_id

-- name: exchange_epoch
SELECT epoch FROM position

-- name: exchange_inboxes
SELECT * FROM inboxes

-- name: exchange_next_offset
SELECT next_offset FROM position

-- Database of the timeline

-- name: timeline_verdicts_of_type
SELECT verdict FROM timeline.entries WHERE event_type = $1

-- name: checkpoint_count
SELECT count(*) FROM proof.checkpoints

-- name: checkpoint_requests
SELECT request FROM proof.checkpoints ORDER BY number

-- name: checkpoint_times
SELECT due_ms FROM proof.checkpoints ORDER BY number

-- name: cosignatures_without_newcomer
SELECT * FROM proof.cosignatures WHERE cosigner <> 'newcomer' ORDER BY cosigner

-- name: cosigners
SELECT cosigner FROM proof.cosignatures

-- name: last_seven_verdicts
SELECT verdict, reason FROM timeline.entries ORDER BY record_offset DESC LIMIT 7

-- name: next_receipt
SELECT next_receipt FROM proof.progress

-- name: redacted_timeline_entries
SELECT verdict, event_id FROM timeline.entries WHERE reason = 'redacted'

-- name: timeline_case_state
SELECT state FROM timeline.cases WHERE case_id = $1

-- name: timeline_record_ms
SELECT record_ms FROM timeline.position

-- name: timeline_case_states
SELECT state FROM timeline.cases ORDER BY case_id

-- name: exchange_escalations
SELECT reference FROM escalations WHERE reference = $1 UNION ALL SELECT reference FROM overdue WHERE reference = $1

-- name: timeline_directory
SELECT state FROM timeline.directory

-- name: timeline_entries
SELECT * FROM timeline.entries ORDER BY record_offset

-- name: timeline_epoch
SELECT epoch FROM timeline.position

-- name: timeline_frontier
SELECT frontier FROM timeline.position

-- name: timeline_next_offset
SELECT next_offset FROM timeline.position

-- name: timeline_offsets
SELECT record_offset FROM timeline.entries ORDER BY record_offset

-- name: timeline_receipts
SELECT * FROM proof.receipts ORDER BY record_offset

-- name: timeline_record_hashes
SELECT record_offset, record_hash, verdict FROM timeline.entries ORDER BY 1

-- State that a test sets

-- name: allow_changes_of_entries
ALTER TABLE timeline.entries DISABLE TRIGGER append_only

-- name: clear_heartbeat
UPDATE leadership SET heartbeat_at = NULL

-- name: falsify_acceptances
UPDATE timeline.entries SET verdict = 'ineffective' WHERE event_type = 'referral.accepted.v1'

-- name: falsify_frontier
UPDATE timeline.position SET frontier = overlay(frontier PLACING '\x00000000'::bytea FROM 9)

-- name: forget_idempotency_keys
TRUNCATE idempotency

-- name: make_resend_due
UPDATE outbox SET next_attempt_at = sent_at WHERE id = $1

-- name: make_timers_ready
UPDATE timers SET ready_at = '-infinity' WHERE holder = $1

-- name: mark_outbox_unsent
UPDATE outbox SET sent_at = NULL, sent_number = NULL, attempts = 0

-- name: move_exchange_past_the_end
UPDATE position SET next_offset = 1000

-- name: move_proven_past_the_end
UPDATE proven SET topic_offset = 1000000

-- name: move_witness_past_the_end
UPDATE witness SET topic_offset = 1000000

-- name: set_heartbeat_an_hour_ago
UPDATE leadership SET heartbeat_at = clock_timestamp() - interval '1 hour'

-- name: wipe_node as its migrations made it
TRUNCATE outbox, inbox, received, contradicting_receipts, broken_deliveries, cases, referrals, directory, escalations, idempotency, parked, quarantine, log_evidence, record_clock,
         sign_in_links, sessions, openings;
UPDATE position SET next_offset = 0, sequence = 0, chain = '';
UPDATE relay SET paused = false;
UPDATE witness SET size = 0, root = sha256(''), note = '', topic_offset = 0;
UPDATE proven SET size = 0, note = '', topic_offset = 0;

-- name: lock_outbox fails if another session holds a lock on it
SET lock_timeout = '1s';
BEGIN;
LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE;
COMMIT;

-- name: fill_disk_for_updates
CREATE OR REPLACE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER disk_full BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION disk_full();

-- name: free_disk
DROP TRIGGER IF EXISTS disk_full ON outbox;

-- name: wipe_timeline as its migrations made it, except for the epoch
ALTER TABLE timeline.entries DISABLE TRIGGER append_only;
ALTER TABLE timeline.tree_nodes DISABLE TRIGGER append_only;
ALTER TABLE proof.checkpoints DISABLE TRIGGER append_only;
ALTER TABLE proof.receipts DISABLE TRIGGER append_only;
TRUNCATE timeline.entries, timeline.tree_nodes, proof.checkpoints, proof.receipts;
ALTER TABLE timeline.entries ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE timeline.tree_nodes ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE proof.checkpoints ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE proof.receipts ENABLE ALWAYS TRIGGER append_only;
TRUNCATE timeline.cases, timeline.directory, timeline.escalations, timeline.handoffs, proof.cosignatures;
UPDATE timeline.position SET next_offset = 0, record_ms = 0, frontier = int8send(0);
UPDATE proof.progress SET published = 0, next_receipt = 0, next_collected = 0;

-- name: move_timeline_past_the_end
UPDATE timeline.position SET next_offset = 1000

-- name: falsify_append_times
UPDATE timeline.entries SET appended_ms = 0

-- name: fill_status of a jurisdiction: refusals, capacities and other members' escalations, which nothing judges again
INSERT INTO timeline.entries (
    record_offset, appended_ms, record_ms, key, value, headers, value_hash, record_hash, case_tag, tag_sequence,
    previous_leaf, leaf, subject, event_id, event_type, emitter, verdict, rules, recipients, reference)
SELECT last_offset + n, last_ms + n, last_ms + n, convert_to($1, 'UTF8'), '{}', '', hash, hash, hash, 1000 + n, hash, hash,
       $1, gen_random_uuid(), types[1 + n % 4], 'exchange', 'effective', 1, '{}',
       CASE WHEN n % 4 > 1 THEN gen_random_uuid() END
  FROM (SELECT max(record_offset) AS last_offset, max(record_ms) AS last_ms, sha256('') AS hash,
               ARRAY['submission.refused.v1', 'capacity.published.v1', 'deadline.escalated.v2',
                     'escalation.acknowledged.v1'] AS types
          FROM timeline.entries) AS known, generate_series(1, $2::integer) AS n

-- name: copies_of_closed_handoffs
INSERT INTO timeline.handoffs
SELECT copy.* FROM generate_series(1, $1::integer),
       LATERAL (SELECT (jsonb_populate_record(closed, jsonb_build_object('referral', gen_random_uuid()))).*
                  FROM timeline.handoffs AS closed WHERE closed_ms IS NOT NULL AND generate_series > 0) AS copy

-- Any database

-- name: foreign_keys_without_index whose columns are the first of no whole index
SELECT conrelid::regclass::text, conname
  FROM pg_constraint
 WHERE contype = 'f'
   AND NOT EXISTS (SELECT FROM pg_index
                    WHERE indrelid = conrelid AND indpred IS NULL AND indisvalid
                      AND (indkey::smallint[])[0:cardinality(conkey) - 1] @> conkey)
 ORDER BY 1, 2
