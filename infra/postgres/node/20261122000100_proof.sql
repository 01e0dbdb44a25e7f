-- migrate:up

-- The largest head of the record that this witness has seen grow, with the log's note, and where the request stood.
CREATE TABLE witness (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    size         bigint  NOT NULL DEFAULT 0,
    root         bytea   NOT NULL DEFAULT sha256('') CHECK (octet_length(root) = 32),
    note         bytea   NOT NULL DEFAULT '',
    topic_offset bigint  NOT NULL DEFAULT 0
);
INSERT INTO witness DEFAULT VALUES;

-- What speaks against the log: the note of the own head, and the request that does not agree with it. For ever.
CREATE TABLE accusations (
    offered_hash bytea       PRIMARY KEY CHECK (octet_length(offered_hash) = 32),
    why          text        NOT NULL CHECK (why IN ('forked', 'inconsistent')),
    own          bytea       NOT NULL,
    offered      bytea       NOT NULL,
    found_at     timestamptz NOT NULL
);

-- The largest checkpoint for which enough have vouched, with their cosignatures.
CREATE TABLE proven (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    size         bigint  NOT NULL DEFAULT 0,
    note         bytea   NOT NULL DEFAULT '',
    topic_offset bigint  NOT NULL DEFAULT 0
);
INSERT INTO proven DEFAULT VALUES;

-- With its receipt an own event's row ends: its bytes leave the outbox, where they could repair a record that lost its
-- tail, and stay in the inbox alone. The line stays, so that nothing is said again and its outcome can be told.
ALTER TABLE outbox
    ADD COLUMN echoed_at         timestamptz,
    ADD COLUMN receipt           bytea,
    ADD COLUMN receipt_missed_at timestamptz,
    ALTER COLUMN value DROP NOT NULL,
    ADD CONSTRAINT outbox_ends_by_receipt CHECK (value IS NOT NULL OR receipt IS NOT NULL);
-- An event that was refused or turned out invalid gets no receipt: its row stays.
CREATE INDEX outbox_awaiting ON outbox (position) WHERE outcome IN ('effective', 'ineffective') AND receipt IS NULL;

GRANT SELECT, UPDATE ON witness, proven TO handoff_node;
GRANT SELECT, INSERT ON accusations TO handoff_node;

-- migrate:down
ALTER TABLE outbox DROP COLUMN receipt_missed_at, DROP COLUMN receipt, DROP COLUMN echoed_at;
DROP TABLE proven, accusations, witness;
