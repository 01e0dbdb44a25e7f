-- migrate:up

-- The active process of a member, which relays and folds: its epoch and its last heartbeat. Without a heartbeat it has
-- released leadership, or no process has led yet.
CREATE TABLE leadership (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch        bigint  NOT NULL DEFAULT 0,
    instance     text    NOT NULL DEFAULT '',
    heartbeat_at timestamptz
);
INSERT INTO leadership DEFAULT VALUES;

GRANT SELECT, UPDATE ON leadership TO handoff_node;

-- migrate:down
DROP TABLE leadership;
