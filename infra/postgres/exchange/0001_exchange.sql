-- migrate:up

-- The router's position, fenced by the leader's epoch: a leader stores its epoch here when it starts to route, and moves
-- next_offset only under it, so that a process that was frozen and resumes cannot change anything.
CREATE TABLE position (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    next_offset bigint NOT NULL DEFAULT 0,
    record_time bigint NOT NULL DEFAULT 0,
    epoch       bigint NOT NULL DEFAULT 0,
    -- Record hash of the entry before next_offset: a record that was truncated and grew again has another one there.
    last_hash   bytea  NOT NULL DEFAULT ''
);
INSERT INTO position DEFAULT VALUES;

-- The exchange that leads: its epoch and its last heartbeat. Without a heartbeat it has released leadership, or none has
-- led yet.
CREATE TABLE leadership (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch        bigint NOT NULL DEFAULT 0,
    instance     text   NOT NULL DEFAULT '',
    heartbeat_at timestamptz
);
INSERT INTO leadership DEFAULT VALUES;

-- The folded directory; version is the offset after the last entry that changed it.
CREATE TABLE directory (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint NOT NULL,
    state    bytea NOT NULL
);

-- Directory events that were routed to all members, for members that are admitted later.
CREATE TABLE announcements (
    record_offset  bigint PRIMARY KEY,
    record_time    bigint NOT NULL,
    key            bytea NOT NULL,
    value          bytea NOT NULL,
    headers        bytea NOT NULL
);

CREATE TABLE cases (
    case_id uuid PRIMARY KEY,
    state   bytea NOT NULL
);

-- Open escalations, and the late step behind each, under the escalation's reference. A late step is stored from
-- deadline.missed on, so before its escalation is on the record.
CREATE TABLE escalations (
    reference uuid PRIMARY KEY,
    state     bytea NOT NULL
);
CREATE TABLE overdue (
    reference uuid PRIMARY KEY,
    state     bytea NOT NULL
);

-- The first entry with this identity that counts.
CREATE TABLE seen (
    subject    text NOT NULL,
    source     text NOT NULL,
    event_id   uuid NOT NULL,
    value_hash text NOT NULL,
    PRIMARY KEY (subject, source, event_id)
);

-- Each member's inbox: sequence and chain hash of the last entry routed to it, and the sequence of the last one that its
-- topic is known to hold.
CREATE TABLE inboxes (
    member        text PRIMARY KEY,
    last_sequence bigint NOT NULL,
    chain         bytea  NOT NULL CHECK (octet_length(chain) = 32),
    sent          bigint NOT NULL DEFAULT 0 CHECK (sent <= last_sequence)
);

-- Entries that are routed to an inbox and not published yet.
CREATE TABLE routed (
    member        text NOT NULL,
    sequence      bigint NOT NULL,
    key           bytea NOT NULL,
    value         bytea NOT NULL,
    headers       bytea NOT NULL,
    -- Hash of the statement that delivers the entry; its relay signs it with the others of the same batch.
    chain         bytea NOT NULL,
    PRIMARY KEY (member, sequence)
);
-- The table is empty at times and large while an inbox cannot be written. A cached plan lives as long as its connection, and one made
-- while the table was empty would read all of it later. So this lookup is planned at each execution.
CREATE FUNCTION queued_deliveries(inbox text, most integer) RETURNS SETOF routed LANGUAGE sql STABLE SET plan_cache_mode = force_custom_plan AS $$
    SELECT * FROM routed WHERE member = inbox ORDER BY sequence LIMIT most
$$;

-- The outbox of the exchange's own events: rows are deleted when the event is read back from the record.
CREATE TABLE own_outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    subject  text NOT NULL,
    value    bytea NOT NULL
);

-- Times at which the exchange publishes an event of its own: a missed step, or the end of a request whose basis expires. A
-- row stays after its step ended: if the step is awaited again, its miss is published under the next attempt. due_at is the
-- time itself, ready_at the time at which the exchange publishes the event.
CREATE TABLE timers (
    case_id  uuid NOT NULL,
    holder   uuid NOT NULL,
    name     text NOT NULL,
    since    timestamptz NOT NULL,
    due_at   timestamptz NOT NULL,
    ready_at timestamptz NOT NULL,
    attempt  integer NOT NULL DEFAULT 0,
    state    text NOT NULL DEFAULT 'awaited' CHECK (state IN ('awaited', 'queued', 'closed', 'missed')),
    PRIMARY KEY (case_id, holder, name, since)
);
CREATE INDEX timers_ready ON timers (ready_at) WHERE state = 'awaited';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO handoff_exchange;
REVOKE ALL ON schema_migrations FROM handoff_exchange;

-- migrate:down
