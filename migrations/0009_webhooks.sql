-- Where events are sent, and how far each has come in each bucket.

CREATE TABLE webhooks (
    created_at bigint NOT NULL,
    webhook_id uuid NOT NULL PRIMARY KEY,
    tenant_id text NOT NULL,
    url text NOT NULL,
    types text[] NOT NULL,
    secret text NOT NULL,
    disabled text
);
COMMENT ON TABLE webhooks IS
    'Addresses that events are sent to. Written by turnlog/adapters/postgres/webhooks.py.';

CREATE TABLE webhook_places (
    position bigint NOT NULL,
    failing_since timestamptz,
    not_before timestamptz NOT NULL,
    leased_until timestamptz NOT NULL,
    webhook_id uuid NOT NULL,
    failures integer NOT NULL,
    bucket smallint NOT NULL,
    node text,
    last_error text,
    PRIMARY KEY (bucket, webhook_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE webhook_places IS
    'How far each webhook has come, and who sends. Written by turnlog/adapters/postgres/webhooks.py.';
