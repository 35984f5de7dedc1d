-- What conversations say, to be searched; follows the feed.

CREATE TABLE search_texts (
    event_offset bigint NOT NULL,
    turn_id uuid,
    conversation_id uuid NOT NULL,
    generation integer NOT NULL,
    bucket smallint NOT NULL,
    tenant_id text NOT NULL,
    part text NOT NULL,
    content text NOT NULL,
    vector tsvector NOT NULL,
    PRIMARY KEY (bucket, generation, conversation_id, part, event_offset)
);
COMMENT ON TABLE search_texts IS
    'Titles, summaries and messages. Written by turnlog/adapters/postgres/search_texts.py.';
CREATE INDEX search_texts_by_word ON search_texts USING gin (vector);
