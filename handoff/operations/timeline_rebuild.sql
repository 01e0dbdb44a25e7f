-- name: kept
SELECT to_regnamespace('timeline_replaced') IS NOT NULL

-- name: lay_out
-- Runs with timeline_rebuilt first in the search path.
DROP SCHEMA IF EXISTS timeline_rebuilt CASCADE;
CREATE SCHEMA timeline_rebuilt;
GRANT USAGE ON SCHEMA timeline_rebuilt TO handoff_projection_writer, handoff_projection_reader;
CALL public.lay_out_timeline();

-- name: live_offset
SELECT next_offset FROM timeline.position

-- name: hold_still
-- The writer's fence waits for it; who reads the timeline does not.
LOCK TABLE timeline.position IN ACCESS EXCLUSIVE MODE

-- name: entries
SELECT * FROM entries ORDER BY record_offset

-- name: tree_nodes
SELECT * FROM tree_nodes ORDER BY level, node_index

-- name: cases
SELECT * FROM cases ORDER BY case_id

-- name: directory
SELECT * FROM directory

-- name: handoffs
SELECT * FROM handoffs ORDER BY referral

-- name: position
-- The epoch is the writer's, not the record's.
SELECT next_offset, record_ms, frontier FROM position

-- name: swap
-- A new epoch: whoever wrote on the old tables remembers what stood there, and has to forget it.
UPDATE timeline_rebuilt.position SET epoch = (SELECT epoch + 1 FROM timeline.position);
ALTER SCHEMA timeline RENAME TO timeline_replaced;
ALTER SCHEMA timeline_rebuilt RENAME TO timeline;

-- name: drop_replaced
DROP SCHEMA timeline_replaced CASCADE
