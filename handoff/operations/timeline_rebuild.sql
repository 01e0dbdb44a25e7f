-- name: has_replaced
SELECT to_regnamespace('timeline_replaced') IS NOT NULL

-- name: create_tables
-- Runs with timeline_rebuilt first in the search path.
DROP SCHEMA IF EXISTS timeline_rebuilt CASCADE;
CREATE SCHEMA timeline_rebuilt;
GRANT USAGE ON SCHEMA timeline_rebuilt
   TO handoff_projection_writer, handoff_projection_reader, handoff_projection_board;
CALL public.lay_out_timeline();

-- name: live_offset
SELECT next_offset FROM timeline.position

-- name: lock
-- The projection's next write waits for this lock; readers of other tables do not.
LOCK TABLE timeline.position IN ACCESS EXCLUSIVE MODE

-- name: entries
SELECT * FROM entries ORDER BY record_offset

-- name: tree_nodes
SELECT * FROM tree_nodes ORDER BY level, node_index

-- name: cases
SELECT * FROM cases ORDER BY case_id

-- name: directory
SELECT * FROM directory

-- name: escalations
SELECT * FROM escalations ORDER BY reference

-- name: handoffs
SELECT * FROM handoffs ORDER BY case_id, referral

-- name: board_references
SELECT * FROM board_references ORDER BY case_id, referral

-- name: position
-- The epoch is the writer's, not the record's.
SELECT next_offset, record_ms, frontier FROM position

-- name: swap
-- A new epoch: it makes a running projection discard what it has cached of the old tables.
UPDATE timeline_rebuilt.position SET epoch = (SELECT epoch + 1 FROM timeline.position);
ALTER SCHEMA timeline RENAME TO timeline_replaced;
ALTER SCHEMA timeline_rebuilt RENAME TO timeline;

-- name: moved_leaves
SELECT count(*) FROM timeline_replaced.entries AS was FULL JOIN timeline.entries AS now USING (record_offset)
 WHERE was.leaf IS DISTINCT FROM now.leaf

-- name: drop_replaced
DROP SCHEMA timeline_replaced CASCADE
