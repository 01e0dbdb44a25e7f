-- migrate:up

-- How far the record is routed, and by whom: whoever routes raises the epoch first and then moves next_offset
-- only under it, so that a process that was stopped and wakes up can change nothing.
CREATE TABLE position (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    next_offset bigint NOT NULL DEFAULT 0,
    record_time bigint NOT NULL DEFAULT 0,
    epoch       bigint NOT NULL DEFAULT 0,
    alive_at    timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO position DEFAULT VALUES;

-- The directory as folded; version is the offset after the entry that changed it last.
CREATE TABLE directory (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint NOT NULL,
    state    bytea NOT NULL
);

-- What everyone was told of the jurisdiction, for whoever is admitted later.
CREATE TABLE announcements (
    record_offset  bigint PRIMARY KEY,
    record_time    bigint NOT NULL,
    key            bytea NOT NULL,
    value          bytea NOT NULL,
    header_names   text[] NOT NULL,
    header_values  bytea[] NOT NULL
);

CREATE TABLE cases (
    case_id uuid PRIMARY KEY,
    state   bytea NOT NULL
);

-- The first entry that counted with this subject and id.
CREATE TABLE seen (
    subject    text NOT NULL,
    event_id   uuid NOT NULL,
    value_hash text NOT NULL,
    PRIMARY KEY (subject, event_id)
);

-- How many entries a member's inbox has been given, and how many of them are known to be in its topic.
CREATE TABLE inboxes (
    member text PRIMARY KEY,
    given  bigint NOT NULL,
    sent   bigint NOT NULL DEFAULT 0 CHECK (sent <= given)
);

-- What waits to be sent to an inbox.
CREATE TABLE routed (
    member        text NOT NULL,
    sequence      bigint NOT NULL,
    key           bytea NOT NULL,
    value         bytea NOT NULL,
    header_names  text[] NOT NULL,
    header_values bytea[] NOT NULL,
    PRIMARY KEY (member, sequence)
);

-- What the exchange says itself, until it stands on the record.
CREATE TABLE sayings (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    subject  text NOT NULL,
    value    bytea NOT NULL
);

-- Steps that somebody waits for. A row outlives its step, for a step that is awaited again is said under a new
-- attempt: the next one to be said. due_at is when the step is late, ready_at when the exchange says so.
CREATE TABLE timers (
    case_id  uuid NOT NULL,
    holder   uuid NOT NULL,
    step     text NOT NULL,
    since    timestamptz NOT NULL,
    due_at   timestamptz NOT NULL,
    ready_at timestamptz NOT NULL,
    attempt  integer NOT NULL DEFAULT 0,
    state    text NOT NULL DEFAULT 'awaited' CHECK (state IN ('awaited', 'said', 'closed', 'missed')),
    PRIMARY KEY (case_id, holder, step, since)
);
CREATE INDEX timers_ready ON timers (ready_at) WHERE state = 'awaited';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO handoff_exchange;
REVOKE ALL ON schema_migrations FROM handoff_exchange;

-- migrate:down
