-- Projections that follow the feed: how far each has come, bucket by bucket.

-- Not shared out among buckets, and written only when a projection is new or was rebuilt.
CREATE TABLE projections (
    generation integer NOT NULL,
    newest integer NOT NULL,
    projection text NOT NULL PRIMARY KEY
);
COMMENT ON TABLE projections IS
    'Which generation of each projection''s rows is read, and the number of the newest one. '
    'Written by turnlog/adapters/postgres/generations.py.';

CREATE TABLE projection_checkpoints (
    position bigint NOT NULL,
    stopped_at bigint,
    generation integer NOT NULL,
    bucket smallint NOT NULL,
    projection text NOT NULL,
    reason text,
    PRIMARY KEY (bucket, projection, generation)
) WITH (fillfactor = 50);
COMMENT ON TABLE projection_checkpoints IS
    'The position up to which a projection has taken a bucket in; at stopped_at stands an event '
    'that it cannot take in. Written by turnlog/adapters/postgres/checkpoints.py.';
