-- The inline projections: written with the events, so that a writer reads its own writes.

CREATE TABLE conversations (
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    conversation_id uuid NOT NULL,
    bucket smallint NOT NULL,
    deleted boolean NOT NULL,
    tenant_id text NOT NULL,
    status text NOT NULL,
    agent_role text,
    tags text[] NOT NULL,
    document bytea NOT NULL,
    PRIMARY KEY (bucket, conversation_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE conversations IS
    'The list of conversations. Written by turnlog/adapters/postgres/store.py.';
-- The list is read over all buckets, newest first, in pages that begin after a key.
CREATE INDEX conversations_by_age
    ON conversations (tenant_id, created_at, conversation_id, bucket)
    WHERE NOT deleted;
CREATE INDEX conversations_by_role
    ON conversations (tenant_id, agent_role, created_at, conversation_id, bucket)
    WHERE NOT deleted AND agent_role IS NOT NULL;
-- Nearly all are idle: the few others would be looked for through the whole list.
CREATE INDEX conversations_not_idle
    ON conversations (tenant_id, status, created_at, conversation_id, bucket)
    WHERE NOT deleted AND status <> 'idle';
CREATE INDEX conversations_by_tag
    ON conversations USING gin (tags)
    WHERE NOT deleted AND tags <> '{}';

CREATE TABLE turns (
    first_offset bigint NOT NULL,
    last_offset bigint,
    turn_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    attempt integer NOT NULL,
    bucket smallint NOT NULL,
    status text NOT NULL,
    node text,
    PRIMARY KEY (bucket, turn_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE turns IS
    'Where each turn''s events stand in its log, and who runs it. Written by turnlog/adapters/postgres/store.py.';
CREATE INDEX turns_by_conversation ON turns (bucket, conversation_id, first_offset);
CREATE INDEX turns_unfinished ON turns (bucket, turn_id) WHERE last_offset IS NULL;
