-- migrate:up

-- Every command reads the pending rows of one subject. The condition differs from that of outbox_unsettled so that a plan cannot
-- use that index, which holds all pending rows: it is as fast while few rows are pending, and slow during an outage.
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (subject, position) WHERE coalesce(outcome, '') = '';

-- Lookups in a table that is empty at times and large in an outage. A cached plan lives as long as its connection, and one made while
-- the table was empty would read all of it later, by a scan or by the wrong index. So these lookups are planned at each execution,
-- and no other statement is.
CREATE FUNCTION pending_events(subjects text[]) RETURNS SETOF outbox LANGUAGE sql STABLE SET plan_cache_mode = force_custom_plan AS $$
    SELECT * FROM outbox WHERE subject = ANY(subjects) AND coalesce(outcome, '') = '' ORDER BY position
$$;
-- Its rows come in the order of their index: a plan that collects all pending rows and sorts them would take 20 ms of an outage's
-- backlog in each round, and is chosen while the statistics do not know the backlog yet.
CREATE FUNCTION due_events(at timestamptz, most integer) RETURNS SETOF outbox LANGUAGE sql STABLE
    SET plan_cache_mode = force_custom_plan SET enable_bitmapscan = off AS $$
    SELECT * FROM outbox
     WHERE outcome IS NULL
       AND (sent_at IS NULL OR next_attempt_at <= at
            OR sent_number < (SELECT max(first_number) FROM outbox WHERE outcome IS NOT NULL))
     ORDER BY position LIMIT most
$$;

-- The stored state of some subjects, with the answers stored under some idempotency keys, and some escalations. The bytes of the
-- directory only if its digest is not the one that the caller knows. It is read after the subjects are locked, if it is
-- for a decision. In a volatile function each statement has a snapshot of its own: the second one sees what the previous holder of a
-- lock committed. The second statement is one, so that its parts are from one snapshot.
CREATE FUNCTION known_state(
    subjects text[], case_ids uuid[], key_hashes text[], escalation_ids uuid[], known_digest bytea, is_locking boolean
) RETURNS TABLE (
    directory_digest bytea, directory bytea, cases bytea[], escalations bytea[], clock_offset_ms bigint, clock_record_time timestamptz,
    parked_cases uuid[], parked_referrals uuid[], parked_sequences bigint[], parked_whys text[],
    pending_ids uuid[], pending_subjects text[], pending_values bytea[], pending_times timestamptz[],
    answer_keys text[], answer_fingerprints text[], answers text[], answer_times timestamptz[]
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
    IF is_locking THEN
        PERFORM pg_advisory_xact_lock(key) FROM (
            SELECT DISTINCT hashtextextended(subject, 0) AS key FROM unnest(subjects) AS subject ORDER BY key
        ) AS keys;
    END IF;
    RETURN QUERY
    SELECT (SELECT digest FROM directory),
           (SELECT CASE WHEN digest = known_digest THEN NULL ELSE state END FROM directory),
           ARRAY(SELECT state FROM cases WHERE id = ANY(case_ids)),
           ARRAY(SELECT state FROM escalations WHERE reference = ANY(escalation_ids)),
           (SELECT offset_ms FROM record_clock), (SELECT record_time FROM record_clock),
           parked.*, pending.*, answered.*
      FROM (SELECT array_agg(case_id), array_agg(referral), array_agg(sequence), array_agg(why)
              FROM parked WHERE case_id = ANY(case_ids)) AS parked,
           (SELECT array_agg(id), array_agg(subject), array_agg(value), array_agg(created_at)
              FROM pending_events(subjects)) AS pending,
           (SELECT array_agg(key_hash), array_agg(fingerprint), array_agg(answer), array_agg(created_at)
              FROM idempotency WHERE key_hash = ANY(key_hashes)) AS answered;
END $$;

-- migrate:down
DROP FUNCTION known_state(text[], uuid[], text[], uuid[], bytea, boolean);
DROP FUNCTION pending_events(text[]);
DROP FUNCTION due_events(timestamptz, integer);
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (subject, position) WHERE outcome IS NULL;
