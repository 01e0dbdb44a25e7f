-- migrate:up

-- The largest checkpoint that this witness has found consistent, with the log's note and the offset of its request.
CREATE TABLE witness (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    size         bigint  NOT NULL DEFAULT 0,
    root         bytea   NOT NULL DEFAULT sha256('') CHECK (octet_length(root) = 32),
    note         bytea   NOT NULL DEFAULT '',
    topic_offset bigint  NOT NULL DEFAULT 0
);
INSERT INTO witness DEFAULT VALUES;

-- Evidence against the log: the note of the stored checkpoint, and the request that contradicts it. Never deleted.
CREATE TABLE log_evidence (
    offered_hash bytea       PRIMARY KEY CHECK (octet_length(offered_hash) = 32),
    why          text        NOT NULL CHECK (why IN ('forked', 'inconsistent', 'differs')),
    own          bytea       NOT NULL,
    offered      bytea       NOT NULL,
    found_at     timestamptz NOT NULL
);

-- The monitor's state at a position of the record, in parts. The first part begins with its signature: the database is
-- no evidence about the record.
CREATE TABLE snapshot (
    part    integer PRIMARY KEY CHECK (part >= 0),
    content bytea   NOT NULL
);

GRANT SELECT, INSERT, DELETE ON snapshot TO handoff_monitor;
GRANT SELECT, UPDATE ON witness TO handoff_monitor;
GRANT SELECT, INSERT ON log_evidence TO handoff_monitor;

-- migrate:down
DROP TABLE snapshot, log_evidence, witness;
