-- migrate:up

-- The active process of a member, which relays and folds, and its last heartbeat.
CREATE TABLE turn (
    only_row boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    holder   text        NOT NULL DEFAULT '',
    alive_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO turn DEFAULT VALUES;

GRANT SELECT, UPDATE ON turn TO handoff_node;

-- migrate:down
DROP TABLE turn;
