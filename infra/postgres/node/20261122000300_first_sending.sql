-- migrate:up

-- An echo may answer any sending of its event: it proves what was sent before the first of them lost, and no more.
ALTER TABLE outbox ADD COLUMN first_number bigint;
DROP INDEX outbox_settled;
CREATE INDEX outbox_settled ON outbox (first_number) WHERE outcome IS NOT NULL;

-- migrate:down
DROP INDEX outbox_settled;
CREATE INDEX outbox_settled ON outbox (sent_number) WHERE outcome IS NOT NULL;
ALTER TABLE outbox DROP COLUMN first_number;
