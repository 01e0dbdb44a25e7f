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
    why          text        NOT NULL CHECK (why IN ('forked', 'inconsistent')),
    own          bytea       NOT NULL,
    offered      bytea       NOT NULL,
    found_at     timestamptz NOT NULL
);

-- The largest checkpoint with a quorum of cosignatures.
CREATE TABLE proven (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    size         bigint  NOT NULL DEFAULT 0,
    note         bytea   NOT NULL DEFAULT '',
    topic_offset bigint  NOT NULL DEFAULT 0
);
INSERT INTO proven DEFAULT VALUES;

-- A receipt completes the row of an own event: the bytes, which could repair a record that lost its tail, are deleted from the
-- outbox and stay in the inbox alone. The row stays, so that no event is published twice and its verdict can be returned.
ALTER TABLE outbox
    ADD COLUMN echoed_at         timestamptz,
    ADD COLUMN receipt           bytea,
    ADD COLUMN receipt_missed_at timestamptz,
    ALTER COLUMN value DROP NOT NULL,
    ADD CONSTRAINT outbox_ends_by_receipt CHECK (value IS NOT NULL OR receipt IS NOT NULL);
-- A refused or invalid event gets no receipt: its row keeps its bytes.
CREATE INDEX outbox_awaiting ON outbox (position) WHERE outcome IN ('effective', 'ineffective') AND receipt IS NULL;

-- The log's receipts of entries that others emitted: its own record hash and verdict for what the exchange delivered.
CREATE TABLE received (
    sequence          bigint      PRIMARY KEY REFERENCES inbox,
    received_at       timestamptz NOT NULL DEFAULT now(),
    receipt           bytea,
    receipt_missed_at timestamptz
);
CREATE INDEX received_awaiting ON received (sequence) WHERE receipt IS NULL;

-- Receipts that contradict what the exchange delivered under a sequence of the inbox: the log and the exchange signed two
-- different things, so one of them lied. Never deleted.
CREATE TABLE contradicting_receipts (
    sequence bigint      NOT NULL REFERENCES inbox,
    why      text        NOT NULL CHECK (why IN ('other_bytes', 'other_verdict')),
    receipt  bytea       NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (sequence, why)
);

GRANT SELECT, INSERT, UPDATE ON received TO handoff_node;
GRANT SELECT, INSERT ON contradicting_receipts TO handoff_node;
GRANT SELECT, UPDATE ON witness, proven TO handoff_node;
GRANT SELECT, INSERT ON log_evidence TO handoff_node;

-- migrate:down
ALTER TABLE outbox DROP COLUMN receipt_missed_at, DROP COLUMN receipt, DROP COLUMN echoed_at;
DROP TABLE contradicting_receipts, received, proven, log_evidence, witness;
