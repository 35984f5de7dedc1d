-- What conversations have cost: an asynchronous projection of steps and of the ends of turns.

CREATE TABLE usage_entries (
    at bigint NOT NULL,
    event_offset bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    conversation_id uuid NOT NULL,
    generation integer NOT NULL,
    turns integer NOT NULL,
    bucket smallint NOT NULL,
    estimated boolean NOT NULL,
    superseded boolean NOT NULL,
    tenant_id text NOT NULL,
    model_provider_id text NOT NULL,
    model_provider_api text NOT NULL,
    model text NOT NULL,
    PRIMARY KEY (bucket, generation, conversation_id, event_offset)
);
COMMENT ON TABLE usage_entries IS
    'What each event has cost, at in microseconds; turns is 1 where a turn ended. '
    'Written by turnlog/adapters/postgres/usage.py.';
CREATE INDEX usage_entries_by_time ON usage_entries (tenant_id, generation, at, bucket);
CREATE INDEX usage_entries_by_conversation
    ON usage_entries (tenant_id, generation, conversation_id, bucket);

CREATE TABLE usage_turns (
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    turn_id uuid NOT NULL,
    generation integer NOT NULL,
    bucket smallint NOT NULL,
    estimated boolean NOT NULL,
    model_provider_id text NOT NULL,
    model_provider_api text NOT NULL,
    model text NOT NULL,
    PRIMARY KEY (bucket, generation, turn_id)
) WITH (fillfactor = 70);
COMMENT ON TABLE usage_turns IS
    'Turns that have not ended: their models, and what of their usage is counted already. '
    'Written by turnlog/adapters/postgres/usage.py.';
