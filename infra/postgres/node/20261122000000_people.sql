-- migrate:up

-- One-time sign-in links with their expiry. Only the SHA-256 of a token is stored. Rows of these tables are deleted after their
-- retention period.
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

CREATE INDEX sign_in_links_age ON sign_in_links (expires_at);
CREATE INDEX sessions_age ON sessions (least(ended_at, expires_at));
CREATE INDEX openings_age ON openings (recorded_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_links, sessions, openings TO handoff_node;

-- migrate:down
DROP TABLE openings, sessions, sign_in_links;
