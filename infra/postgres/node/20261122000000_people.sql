-- migrate:up

-- Who may come in once, until when. Tokens are kept as SHA-256 alone.
CREATE TABLE sign_in_links (
    token_hash bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    reader     uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

CREATE TABLE sessions (
    token_hash bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    reader     uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);

-- For what a session opened a case, and when that was last committed to the outbox as a read.
CREATE TABLE openings (
    session     bytea       NOT NULL,
    case_id     uuid        NOT NULL,
    purpose     text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (session, case_id)
);

GRANT SELECT, INSERT, UPDATE ON sign_in_links, sessions, openings TO handoff_node;

-- migrate:down
DROP TABLE openings, sessions, sign_in_links;
