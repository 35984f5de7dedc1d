-- The nodes that are at work.

CREATE TABLE nodes (
    heartbeat_at timestamptz NOT NULL,
    process bigint NOT NULL,
    node text NOT NULL PRIMARY KEY,
    machine text NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE nodes IS
    'A heartbeat for each node, by this server''s clock. Written by turnlog/adapters/postgres/nodes.py.';
