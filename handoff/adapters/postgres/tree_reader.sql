-- name: leaves
SELECT string_agg(leaf, '' ORDER BY record_offset) FROM entries WHERE record_offset >= $1 AND record_offset < $1 + 256

-- name: nodes
SELECT string_agg(hash, '' ORDER BY node_index)
  FROM tree_nodes WHERE level = $1 AND node_index >= $2 AND node_index < $2 + 256
