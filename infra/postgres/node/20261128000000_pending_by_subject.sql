-- migrate:up

-- Every command reads the pending rows of one subject. The condition differs from that of outbox_unsettled so that a plan cannot
-- use that index, which holds all pending rows: it is as fast while few rows are pending, and slow during an outage.
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (subject, position) WHERE coalesce(outcome, '') = '';

-- Lookups in a table that is empty at times and large in an outage. A cached plan lives as long as its connection, and one made while
-- the table was empty would read all of it later, by a scan or by the wrong index. So these lookups are planned at each execution,
-- and no other statement is.
CREATE FUNCTION pending_events(subjects text[]) RETURNS SETOF outbox LANGUAGE sql STABLE SET plan_cache_mode = force_custom_plan AS $$
    SELECT * FROM outbox WHERE subject = ANY(subjects) AND coalesce(outcome, '') = '' ORDER BY position
$$;
CREATE FUNCTION due_events(at timestamptz, most integer) RETURNS SETOF outbox LANGUAGE sql STABLE SET plan_cache_mode = force_custom_plan AS $$
    SELECT * FROM outbox
     WHERE outcome IS NULL
       AND (sent_at IS NULL OR next_attempt_at <= at
            OR sent_number < (SELECT max(first_number) FROM outbox WHERE outcome IS NOT NULL))
     ORDER BY position LIMIT most
$$;

-- migrate:down
DROP FUNCTION pending_events(text[]);
DROP FUNCTION due_events(timestamptz, integer);
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (subject, position) WHERE outcome IS NULL;
