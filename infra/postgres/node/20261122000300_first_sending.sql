-- migrate:up

-- An echo may belong to any publication of its event. It proves only that rows published before the first one are lost.
ALTER TABLE outbox ADD COLUMN first_number bigint;
DROP INDEX outbox_settled;
CREATE INDEX outbox_settled ON outbox (first_number) WHERE outcome IS NOT NULL;

-- migrate:down
DROP INDEX outbox_settled;
CREATE INDEX outbox_settled ON outbox (sent_number) WHERE outcome IS NOT NULL;
ALTER TABLE outbox DROP COLUMN first_number;
