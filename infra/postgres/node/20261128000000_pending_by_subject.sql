-- migrate:up

-- What waits of one subject is asked for with every command. A condition of its own keeps plans from answering that out of
-- outbox_unsettled, which is all that waits: while few rows did they would be as good, and in an outage many do.
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (subject, position) WHERE coalesce(outcome, '') = '';

-- migrate:down
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (subject, position) WHERE outcome IS NULL;
