-- name: tile_roots
-- The roots of full tiles, from one tile up to another.
SELECT hash FROM timeline.tree_nodes WHERE level = 8 AND node_index >= $1 AND node_index < $2 ORDER BY node_index

-- name: leaves
SELECT leaf FROM timeline.entries WHERE record_offset >= $1 AND record_offset < $2 ORDER BY record_offset

-- name: tiles
SELECT tile, leaves
  FROM unnest($1::bigint[]) AS tile,
       LATERAL (SELECT array_agg(leaf ORDER BY record_offset) AS leaves FROM timeline.entries
                 WHERE record_offset >= tile * 256 AND record_offset < tile * 256 + 256) AS stored
