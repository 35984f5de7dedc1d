-- The log, and the heads that number it.
--
-- A bucket is a fixed share of all conversations, and the distribution column of a
-- distributed PostgreSQL: it is in every key, and no key is unique across buckets.
-- Nothing here is numbered by a sequence: positions must ascend in the order of commits.

CREATE TABLE settings (
    name text PRIMARY KEY,
    value text NOT NULL
);
COMMENT ON TABLE settings IS
    'What was chosen when this database was created. Written by turnlog/adapters/postgres/migrate.py.';

-- Wide columns first and the short ones together: no padding between them.
CREATE TABLE stored_events (
    originator_version bigint NOT NULL,
    notification_id bigint NOT NULL,
    at bigint NOT NULL,
    originator_id uuid NOT NULL,
    turn_id uuid,
    bucket smallint NOT NULL,
    tenant_id text NOT NULL,
    topic text NOT NULL,
    hash bytea NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (bucket, originator_id, originator_version)
) WITH (
    -- Rows are inserted and never change: freeze them when they are first vacuumed,
    -- and vacuum early, so that the visibility map keeps up with the growth.
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_freeze_min_age = 0,
    autovacuum_analyze_scale_factor = 0.02
);
-- Compressing would take its time while the bucket's row is locked, and again at each replay.
ALTER TABLE stored_events ALTER COLUMN state SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX stored_events_by_position ON stored_events (bucket, notification_id);
-- Loading a conversation skips the deltas, which are most of its log.
CREATE INDEX stored_events_bearing_state
    ON stored_events (bucket, originator_id, originator_version)
    WHERE topic NOT LIKE '%delta';
COMMENT ON TABLE stored_events IS
    'The log: originator_version is the offset, notification_id the position times the number of '
    'buckets plus the bucket, at in microseconds. Written by turnlog/adapters/postgres/store.py.';

-- A row for each bucket, on a page of its own: every commit of a bucket rewrites its row.
CREATE TABLE feed_heads (
    bucket smallint PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE feed_heads IS
    'The position of the last event of each bucket. Written by turnlog/adapters/postgres/store.py.';

CREATE TABLE conversation_heads (
    head bigint NOT NULL,
    conversation_id uuid NOT NULL,
    bucket smallint NOT NULL,
    tenant_id text NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (bucket, conversation_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE conversation_heads IS
    'Where each log ends: the fence that a writer has to pass. '
    'Written by turnlog/adapters/postgres/store.py.';

CREATE TABLE conversation_secrets (
    conversation_id uuid NOT NULL,
    bucket smallint NOT NULL,
    secret bytea NOT NULL,
    PRIMARY KEY (bucket, conversation_id)
);
COMMENT ON TABLE conversation_secrets IS
    'What opens the commitments of a log''s hashes. Written by turnlog/adapters/postgres/store.py.';
