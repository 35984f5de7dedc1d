-- Bytes beside the log: what an event names by its hash.

CREATE TABLE blobs (
    conversation_id uuid NOT NULL,
    bucket smallint NOT NULL,
    sha256 text NOT NULL,
    media_type text NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (bucket, conversation_id, sha256)
);
ALTER TABLE blobs ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE blobs IS
    'Pictures and files of messages. Written by turnlog/adapters/postgres/blobs.py.';
