-- As in 0006, where its reasons stand. What a batch has none of is NULL, and need not be given: most
-- have events alone. And records of answers cost nothing where there are none.
CREATE OR REPLACE FUNCTION append_batch(
    the_bucket smallint,
    buckets integer,
    -- one for each append
    ids uuid[],
    tenants text[],
    secrets bytea[],
    expected bigint[],
    expected_hashes bytea[],
    heads bigint[],
    hashes bytea[],
    -- one for each event
    event_appends integer[],
    offsets bigint[],
    topics text[],
    states bytea[],
    event_turns uuid[],
    ats bigint[],
    event_hashes bytea[],
    -- one for each row of the list
    listed_appends integer[] DEFAULT NULL,
    created_ats bigint[] DEFAULT NULL,
    updated_ats bigint[] DEFAULT NULL,
    statuses text[] DEFAULT NULL,
    agent_roles text[] DEFAULT NULL,
    tag_arrays text[] DEFAULT NULL,
    deletions boolean[] DEFAULT NULL,
    documents bytea[] DEFAULT NULL,
    -- one for each row of a turn
    turn_appends integer[] DEFAULT NULL,
    turn_ids uuid[] DEFAULT NULL,
    turn_statuses text[] DEFAULT NULL,
    first_offsets bigint[] DEFAULT NULL,
    last_offsets bigint[] DEFAULT NULL,
    attempts integer[] DEFAULT NULL,
    nodes text[] DEFAULT NULL,
    expiries bigint[] DEFAULT NULL,
    -- one for each record of an answer
    record_appends integer[] DEFAULT NULL,
    keys bytea[] DEFAULT NULL,
    fingerprints bytea[] DEFAULT NULL,
    answers bytea[] DEFAULT NULL,
    recorded_ats bigint[] DEFAULT NULL
) RETURNS boolean[]
LANGUAGE plpgsql
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    base bigint;
    bases bigint[];
    won boolean[];
    answer boolean[];
BEGIN
    UPDATE feed_heads SET position = position + cardinality(topics)
    WHERE bucket = the_bucket
    RETURNING position - cardinality(topics) INTO STRICT base;

    won := ARRAY(
        SELECT coalesce(
            (
                SELECT h.head = asked.expected AND h.hash = asked.expected_hash
                FROM conversation_heads h
                WHERE h.bucket = the_bucket AND h.conversation_id = asked.id
            ),
            asked.expected = 0
        )
        FROM unnest(ids, expected, expected_hashes) WITH ORDINALITY
            AS asked (id, expected, expected_hash, n)
        ORDER BY asked.n
    );
    IF cardinality(record_appends) > 0 THEN
        -- Whoever brings a key that was used has lost: the first answer counts, also of
        -- two that come together.
        won := ARRAY(
            SELECT won[asked.n] AND NOT EXISTS (
                SELECT FROM unnest(record_appends, keys) AS r (n, key)
                WHERE r.n = asked.n AND coalesce(
                    (
                        SELECT true FROM idempotency_records i
                        WHERE i.bucket = the_bucket AND i.key = r.key
                    ),
                    r.n > (
                        SELECT min(twin.n) FROM unnest(record_appends, keys) AS twin (n, key)
                        WHERE twin.key = r.key AND won[twin.n]
                    )
                )
            )
            FROM generate_subscripts(won, 1) AS asked (n)
            ORDER BY asked.n
        );
    END IF;
    answer := won;
    bases := array_fill(base, ARRAY[cardinality(ids)]);

    IF false = ANY (won) THEN
        -- Lost, or written before by a commit whose outcome the writer did not learn?
        answer := ARRAY(
            SELECT won[asked.n] OR coalesce(
                (
                    SELECT e.hash = asked.hash
                    FROM stored_events e
                    WHERE e.bucket = the_bucket
                        AND e.originator_id = asked.id
                        AND e.originator_version = asked.head
                ),
                false
            )
            FROM unnest(ids, heads, hashes) WITH ORDINALITY AS asked (id, head, hash, n)
            ORDER BY asked.n
        );
        -- Who comes after a loser moves up, and so does the end of the feed.
        bases := ARRAY(
            SELECT base - coalesce(
                sum(asked.head - asked.expected)
                    FILTER (WHERE NOT won[asked.n]) OVER (ORDER BY asked.n),
                0
            )
            FROM unnest(expected, heads) WITH ORDINALITY AS asked (expected, head, n)
            ORDER BY asked.n
        );
        UPDATE feed_heads SET position = bases[cardinality(bases)] + cardinality(topics)
        WHERE bucket = the_bucket;
    END IF;

    INSERT INTO conversation_heads (bucket, conversation_id, tenant_id, head, hash)
    SELECT the_bucket, asked.id, asked.tenant_id, asked.head, asked.hash
    FROM unnest(ids, tenants, heads, hashes) WITH ORDINALITY
        AS asked (id, tenant_id, head, hash, n)
    WHERE won[asked.n]
    ON CONFLICT (bucket, conversation_id) DO UPDATE SET
        head = excluded.head,
        hash = excluded.hash;

    IF 0 = ANY (expected) THEN
        INSERT INTO conversation_secrets (bucket, conversation_id, secret)
        SELECT the_bucket, asked.id, asked.secret
        FROM unnest(ids, secrets, expected) WITH ORDINALITY AS asked (id, secret, expected, n)
        WHERE asked.expected = 0 AND won[asked.n];
    END IF;

    INSERT INTO stored_events (
        bucket, originator_id, originator_version, notification_id,
        tenant_id, turn_id, at, topic, hash, state
    )
    SELECT
        the_bucket, ids[e.n], e.version,
        (bases[e.n] + e.place) * buckets + the_bucket,
        tenants[e.n], e.turn_id, e.at, e.topic, e.hash, e.state
    FROM unnest(event_appends, offsets, topics, states, event_turns, ats, event_hashes)
        WITH ORDINALITY AS e (n, version, topic, state, turn_id, at, hash, place)
    WHERE won[e.n];

    IF cardinality(listed_appends) > 0 THEN
        INSERT INTO conversations (
            bucket, conversation_id, tenant_id, created_at, updated_at,
            status, agent_role, tags, deleted, document
        )
        SELECT
            the_bucket, ids[c.n], tenants[c.n], c.created_at, c.updated_at,
            c.status, c.agent_role, c.tags::text[], c.deleted, c.document
        FROM unnest(
            listed_appends, created_ats, updated_ats,
            statuses, agent_roles, tag_arrays, deletions, documents
        ) AS c (n, created_at, updated_at, status, agent_role, tags, deleted, document)
        WHERE won[c.n]
        ON CONFLICT (bucket, conversation_id) DO UPDATE SET
            created_at = excluded.created_at,
            updated_at = excluded.updated_at,
            status = excluded.status,
            agent_role = excluded.agent_role,
            tags = excluded.tags,
            deleted = excluded.deleted,
            document = excluded.document;
    END IF;

    IF cardinality(turn_appends) > 0 THEN
        INSERT INTO turns (
            bucket, turn_id, conversation_id, status, first_offset, last_offset, attempt, node,
            expires_at
        )
        SELECT
            the_bucket, t.turn_id, ids[t.n], t.status, t.first_offset, t.last_offset,
            t.attempt, t.node, t.expires_at
        FROM unnest(
            turn_appends, turn_ids, turn_statuses, first_offsets, last_offsets, attempts, nodes,
            expiries
        ) AS t (n, turn_id, status, first_offset, last_offset, attempt, node, expires_at)
        WHERE won[t.n]
        ON CONFLICT (bucket, turn_id) DO UPDATE SET
            status = excluded.status,
            first_offset = excluded.first_offset,
            last_offset = excluded.last_offset,
            attempt = excluded.attempt,
            node = excluded.node,
            expires_at = excluded.expires_at;
    END IF;

    IF cardinality(record_appends) > 0 THEN
        INSERT INTO idempotency_records (bucket, key, fingerprint, answer, recorded_at)
        SELECT the_bucket, r.key, r.fingerprint, r.answer, r.recorded_at
        FROM unnest(record_appends, keys, fingerprints, answers, recorded_ats)
            AS r (n, key, fingerprint, answer, recorded_at)
        WHERE won[r.n];
    END IF;

    RETURN answer;
END;
$$;
