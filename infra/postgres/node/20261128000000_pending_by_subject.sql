-- migrate:up

-- Every command reads the pending rows of one subject. The condition differs from that of outbox_unsettled so that a plan cannot
-- use that index, which holds all pending rows: it is as fast while few rows are pending, and slow during an outage.
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (subject, position) WHERE coalesce(outcome, '') = '';

-- migrate:down
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (subject, position) WHERE outcome IS NULL;
