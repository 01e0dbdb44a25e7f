-- migrate:up

-- Imports of past handovers, a baseline of figures. Only the coordinator's database has rows. The salt of the case keys exists only
-- until the import is done: afterwards nothing leads from a handover to a case of the log.
CREATE TABLE past_imports (
    name         text        PRIMARY KEY,
    file_hash    bytea       NOT NULL CHECK (octet_length(file_hash) = 32),
    mapping_hash bytea       NOT NULL CHECK (octet_length(mapping_hash) = 32),
    salt         bytea       CHECK (octet_length(salt) = 16),
    begun_at     timestamptz NOT NULL,
    events       bigint      NOT NULL DEFAULT 0 CHECK (events >= 0),
    imported     bigint      NOT NULL DEFAULT 0 CHECK (imported >= 0),
    is_read      boolean     NOT NULL DEFAULT false,
    is_done      boolean     NOT NULL DEFAULT false,
    last_at      timestamptz,
    CHECK (is_done = (salt IS NULL) AND (is_read OR NOT is_done) AND imported <= events)
);

-- Refused events by reason, with the numbers of the first.
CREATE TABLE past_refusals (
    name     text     NOT NULL REFERENCES past_imports ON DELETE CASCADE,
    reason   text     NOT NULL,
    count    bigint   NOT NULL CHECK (count > 0),
    examples bigint[] NOT NULL,
    PRIMARY KEY (name, reason)
);

-- Events that are read and not yet folded. Empty when the import is done.
CREATE TABLE past_events (
    name       text        NOT NULL REFERENCES past_imports ON DELETE CASCADE,
    case_key   bytea       NOT NULL CHECK (octet_length(case_key) = 16),
    number     bigint      NOT NULL,
    milestone  text        NOT NULL,
    at         timestamptz NOT NULL,
    group_name text,
    PRIMARY KEY (name, case_key, number)
);

CREATE TABLE past_handovers (
    name          text        NOT NULL REFERENCES past_imports ON DELETE CASCADE,
    source        text,
    target        text,
    requested_at  timestamptz NOT NULL,
    opened_at     timestamptz,
    answered_at   timestamptz,
    started_at    timestamptz,
    ended_at      timestamptz,
    superseded_at timestamptz,
    paused_at     timestamptz,
    paused        interval    NOT NULL,
    paused_before_open   interval NOT NULL,
    paused_before_answer interval NOT NULL,
    paused_before_start  interval NOT NULL
);
CREATE INDEX past_handovers_pair ON past_handovers (name, source, target);

GRANT SELECT, INSERT, UPDATE, DELETE ON past_imports, past_refusals, past_events, past_handovers TO handoff_node;

-- migrate:down
DROP TABLE past_handovers, past_events, past_refusals, past_imports;
