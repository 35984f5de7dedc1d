-- What was answered to requests that carried an Idempotency-Key.

CREATE TABLE idempotency_records (
    recorded_at bigint NOT NULL,
    bucket smallint NOT NULL,
    key bytea NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea NOT NULL,
    PRIMARY KEY (bucket, key)
);
COMMENT ON TABLE idempotency_records IS
    'Answers to be given again. Written by turnlog/adapters/postgres/store.py.';
CREATE INDEX idempotency_records_by_age ON idempotency_records (bucket, recorded_at);
