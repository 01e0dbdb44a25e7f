-- migrate:up

-- One-time sign-in links with their expiry. Only the SHA-256 of a token is stored.
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

-- The purpose for which a session opened a case, and the time at which that was last committed to the outbox as a read.
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
