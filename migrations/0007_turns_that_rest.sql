-- When a turn ends that waits for its caller or for a person, should nobody answer.

ALTER TABLE turns ADD COLUMN expires_at bigint;
CREATE INDEX turns_resting ON turns (bucket, expires_at)
    WHERE last_offset IS NULL AND expires_at IS NOT NULL;
