-- migrate:up

-- The node's own events. A row stays after its echo: it can repair a record that lost its tail.
CREATE TABLE outbox (
    id              uuid        PRIMARY KEY,
    position        bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    subject         text        NOT NULL,
    referral        uuid,
    type            text        NOT NULL,
    value           bytea       NOT NULL,
    value_hash      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    sent_at         timestamptz,
    -- The order of the last publication: identity values commit out of order, and clocks step back.
    sent_number     bigint,
    next_attempt_at timestamptz,
    outcome         text CHECK (outcome IN ('effective', 'ineffective', 'duplicate', 'invalid')),
    reason          text,
    echo_sequence   bigint,
    settled_at      timestamptz
);
CREATE INDEX outbox_unsettled ON outbox (position) WHERE outcome IS NULL;
CREATE INDEX outbox_pending ON outbox (subject, position) WHERE outcome IS NULL;
CREATE INDEX outbox_settled ON outbox (sent_number) WHERE outcome IS NOT NULL;
CREATE INDEX outbox_echoes ON outbox (echo_sequence) WHERE echo_sequence IS NOT NULL;
CREATE INDEX outbox_hash ON outbox (value_hash);
CREATE SEQUENCE sendings;

-- The inbox entries of this member: raw bytes, never deleted, so that the folded state can be rebuilt.
CREATE TABLE inbox (
    sequence     bigint      PRIMARY KEY,
    kafka_offset bigint      NOT NULL,
    key          bytea,
    value        bytea,
    headers      bytea       NOT NULL,
    record_time  timestamptz NOT NULL,
    outcome      text        NOT NULL,
    reason       text,
    own          boolean     NOT NULL,
    -- Hash of the exchange's statement about this entry, which contains that of the previous one; and its signed batch.
    chain        bytea       NOT NULL CHECK (octet_length(chain) = 32),
    proof        bytea       NOT NULL,
    -- Version of the rules in force at the entry.
    rules        integer     NOT NULL
);

-- Inbox records that the exchange did not deliver in this form. The first stops the inbox. Never deleted.
CREATE TABLE broken_deliveries (
    kafka_offset bigint      NOT NULL,
    why          text        NOT NULL,
    key          bytea,
    value        bytea,
    headers      bytea       NOT NULL,
    found_at     timestamptz NOT NULL,
    PRIMARY KEY (kafka_offset, why)
);

-- Every process of the node listens, so that a caller who waits at a standby learns about entries that the leader stores.
CREATE FUNCTION notify_inbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('inbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER inbox_grew AFTER INSERT ON inbox FOR EACH STATEMENT EXECUTE FUNCTION notify_inbox();

CREATE TABLE cases (
    id             uuid    PRIMARY KEY,
    state          bytea   NOT NULL,
    sequence       bigint  NOT NULL,
    needs_reaction boolean NOT NULL DEFAULT false
);
CREATE INDEX cases_needing_reaction ON cases (id) WHERE needs_reaction;

-- The work list, derived from the cases in the same transaction.
CREATE TABLE referrals (
    case_id      uuid        NOT NULL REFERENCES cases,
    id           uuid        NOT NULL,
    source       text        NOT NULL,
    target       text        NOT NULL,
    service      text        NOT NULL,
    urgency      text        NOT NULL,
    danger       smallint    NOT NULL,
    state        text        NOT NULL,
    code         text,
    requested_at timestamptz NOT NULL,
    since        timestamptz NOT NULL,
    due_at       timestamptz,
    delivered_at timestamptz,
    opened_at    timestamptz,
    seen         integer     NOT NULL,
    PRIMARY KEY (case_id, id)
);
CREATE INDEX referrals_worklist ON referrals (danger, requested_at, case_id, id);

-- Processes keep the decoded directory and read the state only if the digest differs.
CREATE TABLE directory (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    state    bytea   NOT NULL,
    digest   bytea   NOT NULL GENERATED ALWAYS AS (sha256(state)) STORED,
    sequence bigint  NOT NULL
);

-- Open escalations. Only the coordinator's node receives them.
CREATE TABLE escalations (
    reference uuid   PRIMARY KEY,
    state     bytea  NOT NULL,
    sequence  bigint NOT NULL
);

-- The position in the database is authoritative; the offset that the broker keeps for the group is a hint.
CREATE TABLE position (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch       bigint  NOT NULL DEFAULT 0,
    next_offset bigint  NOT NULL DEFAULT 0,
    sequence    bigint  NOT NULL DEFAULT 0,
    -- Chain hash of the last folded entry; empty before the first.
    chain       bytea   NOT NULL DEFAULT ''
);
INSERT INTO position DEFAULT VALUES;

-- The last measurement of the own clock against record time, stored while the two differ. Absent until then.
CREATE TABLE record_clock (
    only_row    boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    offset_ms   bigint      NOT NULL,
    record_time timestamptz NOT NULL
);

CREATE TABLE relay (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch    bigint  NOT NULL DEFAULT 0,
    paused   boolean NOT NULL DEFAULT false
);
INSERT INTO relay DEFAULT VALUES;

-- Keys as HMACs under a secret that is not in this database, because a caller may have derived a key from personal data: a phone
-- number is guessed from a plain hash in less than a second. Rows are deleted after their retention period.
CREATE TABLE idempotency (
    key_hash     text        PRIMARY KEY,
    fingerprint  text        NOT NULL,
    answer       text,
    created_at   timestamptz NOT NULL
);
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE parked (
    case_id  uuid   NOT NULL,
    referral uuid   NOT NULL,
    sequence bigint NOT NULL,
    why      text   NOT NULL,
    PRIMARY KEY (case_id, referral)
);

-- Coordinates, code and hash, never the payload.
CREATE TABLE quarantine (
    sequence     bigint PRIMARY KEY,
    kafka_offset bigint NOT NULL,
    code         text   NOT NULL,
    value_hash   text   NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON outbox, cases, referrals, directory, escalations, position, relay, idempotency, record_clock TO handoff_node;
GRANT DELETE ON cases, referrals, directory, escalations, idempotency TO handoff_node;
GRANT SELECT, INSERT ON inbox, broken_deliveries TO handoff_node;
GRANT SELECT, INSERT, DELETE ON parked, quarantine TO handoff_node;
GRANT USAGE ON SEQUENCE sendings TO handoff_node;

-- migrate:down
DROP TABLE broken_deliveries, quarantine, parked, idempotency, relay, record_clock, position, escalations, directory, referrals, cases, inbox, outbox;
DROP FUNCTION notify_inbox;
DROP SEQUENCE sendings;
