-- migrate:up

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END
$$;

-- The share that lasts longer is a running product (Kaplan-Meier).
CREATE AGGREGATE product(double precision) (SFUNC = float8mul, STYPE = double precision, INITCOND = '1');

-- Creates the timeline's tables in the first schema of the search path: a rebuild creates a second set, beside the
-- one that is being read. No column holds the projection's own clock, so that every byte follows from the record.
CREATE PROCEDURE lay_out_timeline() LANGUAGE plpgsql AS $$
BEGIN
    -- One row for each offset of the record: Kafka's facts, their hashes, and the verdict.
    CREATE TABLE entries (
        record_offset bigint NOT NULL,
        appended_ms   bigint NOT NULL,
        record_ms     bigint NOT NULL,
        key           bytea,
        value         bytea,
        headers       bytea NOT NULL,
        value_hash    bytea NOT NULL CHECK (octet_length(value_hash) = 32),
        record_hash   bytea NOT NULL CHECK (octet_length(record_hash) = 32),
        case_tag      bytea NOT NULL CHECK (octet_length(case_tag) = 32),
        tag_sequence  bigint NOT NULL CHECK (tag_sequence > 0),
        previous_leaf bytea NOT NULL CHECK (octet_length(previous_leaf) = 32),
        leaf          bytea NOT NULL CHECK (octet_length(leaf) = 32),
        subject       text,
        event_id      uuid,
        event_type    text,
        emitter       text,
        claimed_at    timestamptz,
        referral      uuid,
        verdict       text NOT NULL CHECK (verdict IN ('effective', 'ineffective', 'duplicate', 'invalid')),
        reason        text,
        -- Version of the rules in force at the entry, and the members that it is delivered to; '*' is every member, also later ones.
        rules         integer NOT NULL,
        recipients    text[] NOT NULL,
        -- Opaque reference of the escalation that the entry begins, carries or acknowledges.
        reference     uuid,
        -- Record time is computed from the append times of all entries, which are read from the index alone.
        PRIMARY KEY (record_offset) INCLUDE (appended_ms)
    );
    -- Entries by record key. A hash, because a key on the record may be longer than an index allows.
    CREATE UNIQUE INDEX entries_by_key ON entries (sha256(coalesce(key, '')), tag_sequence);
    -- At most one entry with an identity counts: the first. The source of such an entry names this record, so the emitter identifies it.
    CREATE UNIQUE INDEX entries_that_count ON entries (subject, emitter, event_id) WHERE verdict IN ('effective', 'ineffective');

    -- A replay reads the escalations of its own case alone, however many there are in the jurisdiction.
    CREATE INDEX entries_by_reference ON entries (reference) WHERE reference IS NOT NULL;

    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
        FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
    -- ALWAYS: an ordinary trigger does not fire under session_replication_role = replica.
    ALTER TABLE entries ENABLE ALWAYS TRIGGER append_only;

    -- The record's tree above its leaves: the roots of full subtrees of 256, 65,536 and so on, at tile boundaries.
    CREATE TABLE tree_nodes (
        level      smallint NOT NULL CHECK (level > 0 AND level % 8 = 0),
        node_index bigint NOT NULL,
        hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
        PRIMARY KEY (level, node_index)
    );
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tree_nodes
        FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
    ALTER TABLE tree_nodes ENABLE ALWAYS TRIGGER append_only;

    -- The folded state of each case, as JSON.
    CREATE TABLE cases (
        case_id uuid PRIMARY KEY,
        state   bytea NOT NULL
    );

    -- The folded directory, as JSON.
    CREATE TABLE directory (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        state    bytea NOT NULL
    );

    -- Open escalations, as JSON.
    CREATE TABLE escalations (
        reference uuid PRIMARY KEY,
        state     bytea NOT NULL
    );

    -- One row for each referral: the moments that bound its waits, in milliseconds of record time.
    CREATE TABLE handoffs (
        case_id      uuid NOT NULL,
        referral     uuid NOT NULL,
        source       text NOT NULL,
        target       text NOT NULL,
        service      text NOT NULL,
        urgency      text NOT NULL,
        state        text NOT NULL,
        requested_ms bigint NOT NULL,
        delivered_ms bigint,
        opened_ms    bigint,
        answered_ms  bigint,
        started_ms   bigint,
        closed_ms    bigint,
        -- Date of a follow-up; time until which a place is held, and when the parties agreed on it.
        due_ms              bigint,
        place_held_until_ms bigint,
        place_agreed_ms     bigint,
        -- The first end of the referral; a later correction does not change it.
        ended_as     text,
        ended_code   text,
        -- The first referral, in the same case, of the chain of redirects.
        chain_root   uuid NOT NULL,
        hop          integer NOT NULL,
        -- Holds and open steps, with the deadlines under which the steps began: input of the clock.
        pauses       jsonb NOT NULL,
        steps        jsonb NOT NULL,
        -- Waits that no later moment changes, in microseconds, and whether each ended by itself: until the answer, then the
        -- segments in their order. Null if a wait has not begun or still lasts.
        waits_us     bigint[] NOT NULL,
        waits_ended  boolean[] NOT NULL,
        PRIMARY KEY (case_id, referral)
    );
    CREATE INDEX handoffs_open ON handoffs (requested_ms) WHERE closed_ms IS NULL;

    -- The opaque reference of each handoff: an HMAC whose key is the projection's. Once written it never changes.
    CREATE TABLE board_references (
        reference uuid PRIMARY KEY,
        case_id   uuid NOT NULL,
        referral  uuid NOT NULL,
        UNIQUE (referral, case_id)
    );

    -- The writer's position and epoch: a writer raises the epoch once and moves the position only under it.
    CREATE TABLE position (
        only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        next_offset bigint NOT NULL DEFAULT 0,
        record_ms   bigint NOT NULL DEFAULT 0,
        epoch       bigint NOT NULL DEFAULT 0,
        -- The tree of all leaves up to the position: its size, and the roots of its full subtrees.
        frontier    bytea NOT NULL DEFAULT int8send(0)
    );
    INSERT INTO position DEFAULT VALUES;

    -- Views of the coordinator's board: handoffs and escalations under their references, without case and referral.
    -- Conditions of its queries run after these views, so that no function sees a column that the views leave out.
    CREATE VIEW board_handoffs WITH (security_barrier) AS
        SELECT own.reference, root.reference AS chain, h.hop, h.source, h.target, h.service, h.urgency, h.state,
               h.requested_ms, h.delivered_ms, h.opened_ms, h.answered_ms, h.started_ms, h.closed_ms, h.due_ms,
               h.place_held_until_ms, h.place_agreed_ms, h.ended_as, h.ended_code, h.pauses, h.steps
          FROM handoffs AS h
          JOIN board_references AS own USING (case_id, referral)
          LEFT JOIN board_references AS root ON root.case_id = h.case_id AND root.referral = h.chain_root;
    CREATE VIEW board_escalations WITH (security_barrier) AS
        SELECT entries.reference AS escalation, own.reference AS handoff, entries.record_ms AS since_ms
          FROM entries JOIN board_references AS own ON own.case_id::text = entries.subject AND own.referral = entries.referral
         WHERE entries.reference IS NOT NULL AND entries.verdict = 'effective';
    CREATE VIEW board_position WITH (security_barrier) AS
        SELECT next_offset, record_ms, (SELECT rules FROM entries ORDER BY record_offset DESC LIMIT 1) AS rules FROM position;

    GRANT SELECT ON board_handoffs, board_escalations, board_position TO handoff_projection_board;
    GRANT SELECT, INSERT ON board_references TO handoff_projection_writer;
    GRANT SELECT, INSERT ON entries, tree_nodes TO handoff_projection_writer;
    GRANT SELECT, INSERT, UPDATE ON cases, directory, handoffs TO handoff_projection_writer;
    GRANT SELECT, INSERT, UPDATE, DELETE ON escalations TO handoff_projection_writer;
    GRANT SELECT, UPDATE ON position TO handoff_projection_writer;
    GRANT SELECT ON entries, tree_nodes, handoffs, position TO handoff_projection_reader;
END
$$;
REVOKE ALL ON PROCEDURE lay_out_timeline() FROM PUBLIC;

CREATE SCHEMA timeline;
GRANT USAGE ON SCHEMA timeline TO handoff_projection_writer, handoff_projection_reader, handoff_projection_board;

SET LOCAL search_path TO timeline, public;
CALL lay_out_timeline();
-- The migration tool's own table stays in the default schema.
SET LOCAL search_path TO DEFAULT;

-- Signed statements, which a rebuild cannot recompute. A rebuild of the timeline leaves this schema unchanged.
CREATE SCHEMA proof;
GRANT USAGE ON SCHEMA proof TO handoff_projection_writer, handoff_projection_reader;

-- Each checkpoint of the log, stored before it is published: a repeated publication has the same bytes.
CREATE TABLE proof.checkpoints (
    number   bigint PRIMARY KEY,
    -- The moment of the cadence at which it was due.
    due_ms   bigint NOT NULL,
    size     bigint NOT NULL CHECK (size > 0),
    root     bytea NOT NULL CHECK (octet_length(root) = 32),
    -- The request to cosign (C2SP tlog-witness): the previous size, the proof, and the note as signed by the log.
    request  bytea NOT NULL
);
CREATE INDEX checkpoints_by_size ON proof.checkpoints (size);

-- The latest cosignature of each cosigner on each checkpoint of this log, as a line of the note.
CREATE TABLE proof.cosignatures (
    size        bigint NOT NULL,
    cosigner    text NOT NULL,
    cosigned_at timestamptz NOT NULL,
    line        text NOT NULL,
    PRIMARY KEY (size, cosigner)
);

-- The log's receipts: promises to emitter and recipients that the entry's offset is below a checkpoint of that size.
CREATE TABLE proof.receipts (
    record_offset bigint PRIMARY KEY,
    record_hash   bytea NOT NULL CHECK (octet_length(record_hash) = 32),
    size          bigint NOT NULL,
    note          text NOT NULL
);

-- Progress: checkpoints published, receipts signed up to an offset, and the position on the topic checkpoints.
CREATE TABLE proof.progress (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    published      bigint NOT NULL DEFAULT 0,
    next_receipt   bigint NOT NULL DEFAULT 0,
    next_collected bigint NOT NULL DEFAULT 0
);
INSERT INTO proof.progress DEFAULT VALUES;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proof.checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE proof.checkpoints ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proof.receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE proof.receipts ENABLE ALWAYS TRIGGER append_only;

GRANT SELECT, INSERT ON proof.checkpoints, proof.receipts TO handoff_projection_writer;
GRANT SELECT, INSERT, UPDATE ON proof.cosignatures TO handoff_projection_writer;
GRANT SELECT, UPDATE ON proof.progress TO handoff_projection_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA proof TO handoff_projection_reader;

-- migrate:down
DROP SCHEMA proof CASCADE;
DROP SCHEMA timeline CASCADE;
DROP PROCEDURE lay_out_timeline();
DROP AGGREGATE product(double precision);
DROP FUNCTION refuse_change();
