TABLE blobs -- Pictures and files of messages. Written by turnlog/adapters/postgres/blobs.py.
TABLE conversation_heads WITH (fillfactor=50) -- Where each log ends: the fence that a writer has to pass. Written by turnlog/adapters/postgres/store.py.
TABLE conversation_secrets -- What opens the commitments of a log's hashes. Written by turnlog/adapters/postgres/store.py.
TABLE conversations WITH (fillfactor=80) -- The list of conversations. Written by turnlog/adapters/postgres/store.py.
TABLE feed_heads WITH (fillfactor=10) -- The position of the last event of each bucket. Written by turnlog/adapters/postgres/store.py.
TABLE idempotency_records -- Answers to be given again. Written by turnlog/adapters/postgres/store.py.
TABLE nodes WITH (fillfactor=50) -- A heartbeat for each node, by this server's clock. Written by turnlog/adapters/postgres/nodes.py.
TABLE projection_checkpoints WITH (fillfactor=50) -- The position up to which a projection has taken a bucket in; at stopped_at stands an event that it cannot take in. Written by turnlog/adapters/postgres/checkpoints.py.
TABLE projections -- Which generation of each projection's rows is read, and the number of the newest one. Written by turnlog/adapters/postgres/generations.py.
TABLE schema_migrations -- The steps that were taken. Written by turnlog/adapters/postgres/migrate.py.
TABLE search_texts -- Titles, summaries and messages. Written by turnlog/adapters/postgres/search_texts.py.
TABLE settings -- What was chosen when this database was created. Written by turnlog/adapters/postgres/migrate.py.
TABLE stored_events WITH (autovacuum_vacuum_insert_scale_factor=0.05, autovacuum_freeze_min_age=0, autovacuum_analyze_scale_factor=0.02) -- The log: originator_version is the offset, notification_id the position times the number of buckets plus the bucket, at in microseconds. Written by turnlog/adapters/postgres/store.py.
TABLE turns WITH (fillfactor=80) -- Where each turn's events stand in its log, and who runs it. Written by turnlog/adapters/postgres/store.py.
TABLE usage_entries -- What each event has cost, at in microseconds; turns is 1 where a turn ended. Written by turnlog/adapters/postgres/usage.py.
TABLE usage_turns WITH (fillfactor=70) -- Turns that have not ended: their models, and what of their usage is counted already. Written by turnlog/adapters/postgres/usage.py.
TABLE webhook_places WITH (fillfactor=50) -- How far each webhook has come, and who sends. Written by turnlog/adapters/postgres/webhooks.py.
TABLE webhooks -- Addresses that events are sent to. Written by turnlog/adapters/postgres/webhooks.py.

COLUMN blobs.conversation_id uuid NOT NULL
COLUMN blobs.bucket smallint NOT NULL
COLUMN blobs.sha256 text NOT NULL
COLUMN blobs.media_type text NOT NULL
COLUMN blobs.data bytea NOT NULL STORAGE e
COLUMN conversation_heads.head bigint NOT NULL
COLUMN conversation_heads.conversation_id uuid NOT NULL
COLUMN conversation_heads.bucket smallint NOT NULL
COLUMN conversation_heads.tenant_id text NOT NULL
COLUMN conversation_heads.hash bytea NOT NULL
COLUMN conversation_secrets.conversation_id uuid NOT NULL
COLUMN conversation_secrets.bucket smallint NOT NULL
COLUMN conversation_secrets.secret bytea NOT NULL
COLUMN conversations.created_at bigint NOT NULL
COLUMN conversations.updated_at bigint NOT NULL
COLUMN conversations.conversation_id uuid NOT NULL
COLUMN conversations.bucket smallint NOT NULL
COLUMN conversations.deleted boolean NOT NULL
COLUMN conversations.tenant_id text NOT NULL
COLUMN conversations.status text NOT NULL
COLUMN conversations.agent_role text
COLUMN conversations.tags text[] NOT NULL
COLUMN conversations.document bytea NOT NULL
COLUMN feed_heads.bucket smallint NOT NULL
COLUMN feed_heads.position bigint NOT NULL
COLUMN idempotency_records.recorded_at bigint NOT NULL
COLUMN idempotency_records.bucket smallint NOT NULL
COLUMN idempotency_records.key bytea NOT NULL
COLUMN idempotency_records.fingerprint bytea NOT NULL
COLUMN idempotency_records.answer bytea NOT NULL
COLUMN nodes.heartbeat_at timestamp with time zone NOT NULL
COLUMN nodes.process bigint NOT NULL
COLUMN nodes.node text NOT NULL
COLUMN nodes.machine text NOT NULL
COLUMN projection_checkpoints.position bigint NOT NULL
COLUMN projection_checkpoints.stopped_at bigint
COLUMN projection_checkpoints.generation integer NOT NULL
COLUMN projection_checkpoints.bucket smallint NOT NULL
COLUMN projection_checkpoints.projection text NOT NULL
COLUMN projection_checkpoints.reason text
COLUMN projections.generation integer NOT NULL
COLUMN projections.newest integer NOT NULL
COLUMN projections.projection text NOT NULL
COLUMN schema_migrations.version integer NOT NULL
COLUMN schema_migrations.name text NOT NULL
COLUMN schema_migrations.checksum text NOT NULL
COLUMN schema_migrations.applied_at timestamp with time zone NOT NULL
COLUMN search_texts.event_offset bigint NOT NULL
COLUMN search_texts.turn_id uuid
COLUMN search_texts.conversation_id uuid NOT NULL
COLUMN search_texts.generation integer NOT NULL
COLUMN search_texts.bucket smallint NOT NULL
COLUMN search_texts.tenant_id text NOT NULL
COLUMN search_texts.part text NOT NULL
COLUMN search_texts.content text NOT NULL
COLUMN search_texts.vector tsvector NOT NULL
COLUMN settings.name text NOT NULL
COLUMN settings.value text NOT NULL
COLUMN stored_events.originator_version bigint NOT NULL
COLUMN stored_events.notification_id bigint NOT NULL
COLUMN stored_events.at bigint NOT NULL
COLUMN stored_events.originator_id uuid NOT NULL
COLUMN stored_events.turn_id uuid
COLUMN stored_events.bucket smallint NOT NULL
COLUMN stored_events.tenant_id text NOT NULL
COLUMN stored_events.topic text NOT NULL
COLUMN stored_events.hash bytea NOT NULL
COLUMN stored_events.state bytea NOT NULL STORAGE e
COLUMN turns.first_offset bigint NOT NULL
COLUMN turns.last_offset bigint
COLUMN turns.turn_id uuid NOT NULL
COLUMN turns.conversation_id uuid NOT NULL
COLUMN turns.attempt integer NOT NULL
COLUMN turns.bucket smallint NOT NULL
COLUMN turns.status text NOT NULL
COLUMN turns.node text
COLUMN turns.expires_at bigint
COLUMN usage_entries.at bigint NOT NULL
COLUMN usage_entries.event_offset bigint NOT NULL
COLUMN usage_entries.input_tokens bigint NOT NULL
COLUMN usage_entries.output_tokens bigint NOT NULL
COLUMN usage_entries.cached_input_tokens bigint NOT NULL
COLUMN usage_entries.cache_write_tokens bigint NOT NULL
COLUMN usage_entries.reasoning_tokens bigint NOT NULL
COLUMN usage_entries.conversation_id uuid NOT NULL
COLUMN usage_entries.generation integer NOT NULL
COLUMN usage_entries.turns integer NOT NULL
COLUMN usage_entries.bucket smallint NOT NULL
COLUMN usage_entries.estimated boolean NOT NULL
COLUMN usage_entries.superseded boolean NOT NULL
COLUMN usage_entries.tenant_id text NOT NULL
COLUMN usage_entries.model_provider_id text NOT NULL
COLUMN usage_entries.model_provider_api text NOT NULL
COLUMN usage_entries.model text NOT NULL
COLUMN usage_turns.input_tokens bigint NOT NULL
COLUMN usage_turns.output_tokens bigint NOT NULL
COLUMN usage_turns.cached_input_tokens bigint NOT NULL
COLUMN usage_turns.cache_write_tokens bigint NOT NULL
COLUMN usage_turns.reasoning_tokens bigint NOT NULL
COLUMN usage_turns.turn_id uuid NOT NULL
COLUMN usage_turns.generation integer NOT NULL
COLUMN usage_turns.bucket smallint NOT NULL
COLUMN usage_turns.estimated boolean NOT NULL
COLUMN usage_turns.model_provider_id text NOT NULL
COLUMN usage_turns.model_provider_api text NOT NULL
COLUMN usage_turns.model text NOT NULL
COLUMN webhook_places.position bigint NOT NULL
COLUMN webhook_places.failing_since timestamp with time zone
COLUMN webhook_places.not_before timestamp with time zone NOT NULL
COLUMN webhook_places.leased_until timestamp with time zone NOT NULL
COLUMN webhook_places.webhook_id uuid NOT NULL
COLUMN webhook_places.failures integer NOT NULL
COLUMN webhook_places.bucket smallint NOT NULL
COLUMN webhook_places.node text
COLUMN webhook_places.last_error text
COLUMN webhooks.created_at bigint NOT NULL
COLUMN webhooks.webhook_id uuid NOT NULL
COLUMN webhooks.tenant_id text NOT NULL
COLUMN webhooks.url text NOT NULL
COLUMN webhooks.types text[] NOT NULL
COLUMN webhooks.secret text NOT NULL
COLUMN webhooks.disabled text

CREATE UNIQUE INDEX blobs_pkey ON public.blobs USING btree (bucket, conversation_id, sha256)
CREATE UNIQUE INDEX conversation_heads_pkey ON public.conversation_heads USING btree (bucket, conversation_id)
CREATE UNIQUE INDEX conversation_secrets_pkey ON public.conversation_secrets USING btree (bucket, conversation_id)
CREATE INDEX conversations_by_age ON public.conversations USING btree (tenant_id, created_at, conversation_id, bucket) WHERE (NOT deleted)
CREATE INDEX conversations_by_role ON public.conversations USING btree (tenant_id, agent_role, created_at, conversation_id, bucket) WHERE ((NOT deleted) AND (agent_role IS NOT NULL))
CREATE INDEX conversations_by_tag ON public.conversations USING gin (tags) WHERE ((NOT deleted) AND (tags <> '{}'::text[]))
CREATE INDEX conversations_not_idle ON public.conversations USING btree (tenant_id, status, created_at, conversation_id, bucket) WHERE ((NOT deleted) AND (status <> 'idle'::text))
CREATE UNIQUE INDEX conversations_pkey ON public.conversations USING btree (bucket, conversation_id)
CREATE UNIQUE INDEX feed_heads_pkey ON public.feed_heads USING btree (bucket)
CREATE INDEX idempotency_records_by_age ON public.idempotency_records USING btree (bucket, recorded_at)
CREATE UNIQUE INDEX idempotency_records_pkey ON public.idempotency_records USING btree (bucket, key)
CREATE UNIQUE INDEX nodes_pkey ON public.nodes USING btree (node)
CREATE UNIQUE INDEX projection_checkpoints_pkey ON public.projection_checkpoints USING btree (bucket, projection, generation)
CREATE UNIQUE INDEX projections_pkey ON public.projections USING btree (projection)
CREATE UNIQUE INDEX schema_migrations_pkey ON public.schema_migrations USING btree (version)
CREATE INDEX search_texts_by_word ON public.search_texts USING gin (vector)
CREATE UNIQUE INDEX search_texts_pkey ON public.search_texts USING btree (bucket, generation, conversation_id, part, event_offset)
CREATE UNIQUE INDEX settings_pkey ON public.settings USING btree (name)
CREATE INDEX stored_events_bearing_state ON public.stored_events USING btree (bucket, originator_id, originator_version) WHERE (topic !~~ '%delta'::text)
CREATE UNIQUE INDEX stored_events_by_position ON public.stored_events USING btree (bucket, notification_id)
CREATE UNIQUE INDEX stored_events_pkey ON public.stored_events USING btree (bucket, originator_id, originator_version)
CREATE INDEX turns_by_conversation ON public.turns USING btree (bucket, conversation_id, first_offset)
CREATE UNIQUE INDEX turns_pkey ON public.turns USING btree (bucket, turn_id)
CREATE INDEX turns_resting ON public.turns USING btree (bucket, expires_at) WHERE ((last_offset IS NULL) AND (expires_at IS NOT NULL))
CREATE INDEX turns_unfinished ON public.turns USING btree (bucket, turn_id) WHERE (last_offset IS NULL)
CREATE INDEX usage_entries_by_conversation ON public.usage_entries USING btree (tenant_id, generation, conversation_id, bucket)
CREATE INDEX usage_entries_by_time ON public.usage_entries USING btree (tenant_id, generation, at, bucket)
CREATE UNIQUE INDEX usage_entries_pkey ON public.usage_entries USING btree (bucket, generation, conversation_id, event_offset)
CREATE UNIQUE INDEX usage_turns_pkey ON public.usage_turns USING btree (bucket, generation, turn_id)
CREATE UNIQUE INDEX webhook_places_pkey ON public.webhook_places USING btree (bucket, webhook_id)
CREATE UNIQUE INDEX webhooks_pkey ON public.webhooks USING btree (webhook_id)

CONSTRAINT blobs.blobs_pkey PRIMARY KEY (bucket, conversation_id, sha256)
CONSTRAINT conversation_heads.conversation_heads_pkey PRIMARY KEY (bucket, conversation_id)
CONSTRAINT conversation_secrets.conversation_secrets_pkey PRIMARY KEY (bucket, conversation_id)
CONSTRAINT conversations.conversations_pkey PRIMARY KEY (bucket, conversation_id)
CONSTRAINT feed_heads.feed_heads_pkey PRIMARY KEY (bucket)
CONSTRAINT idempotency_records.idempotency_records_pkey PRIMARY KEY (bucket, key)
CONSTRAINT nodes.nodes_pkey PRIMARY KEY (node)
CONSTRAINT projection_checkpoints.projection_checkpoints_pkey PRIMARY KEY (bucket, projection, generation)
CONSTRAINT projections.projections_pkey PRIMARY KEY (projection)
CONSTRAINT schema_migrations.schema_migrations_pkey PRIMARY KEY (version)
CONSTRAINT search_texts.search_texts_pkey PRIMARY KEY (bucket, generation, conversation_id, part, event_offset)
CONSTRAINT settings.settings_pkey PRIMARY KEY (name)
CONSTRAINT stored_events.stored_events_pkey PRIMARY KEY (bucket, originator_id, originator_version)
CONSTRAINT turns.turns_pkey PRIMARY KEY (bucket, turn_id)
CONSTRAINT usage_entries.usage_entries_pkey PRIMARY KEY (bucket, generation, conversation_id, event_offset)
CONSTRAINT usage_turns.usage_turns_pkey PRIMARY KEY (bucket, generation, turn_id)
CONSTRAINT webhook_places.webhook_places_pkey PRIMARY KEY (bucket, webhook_id)
CONSTRAINT webhooks.webhooks_pkey PRIMARY KEY (webhook_id)

CREATE OR REPLACE FUNCTION public.append_batch(the_bucket smallint, buckets integer, ids uuid[], tenants text[], secrets bytea[], expected bigint[], expected_hashes bytea[], heads bigint[], hashes bytea[], event_appends integer[], offsets bigint[], topics text[], states bytea[], event_turns uuid[], ats bigint[], event_hashes bytea[], listed_appends integer[] DEFAULT NULL::integer[], created_ats bigint[] DEFAULT NULL::bigint[], updated_ats bigint[] DEFAULT NULL::bigint[], statuses text[] DEFAULT NULL::text[], agent_roles text[] DEFAULT NULL::text[], tag_arrays text[] DEFAULT NULL::text[], deletions boolean[] DEFAULT NULL::boolean[], documents bytea[] DEFAULT NULL::bytea[], turn_appends integer[] DEFAULT NULL::integer[], turn_ids uuid[] DEFAULT NULL::uuid[], turn_statuses text[] DEFAULT NULL::text[], first_offsets bigint[] DEFAULT NULL::bigint[], last_offsets bigint[] DEFAULT NULL::bigint[], attempts integer[] DEFAULT NULL::integer[], nodes text[] DEFAULT NULL::text[], expiries bigint[] DEFAULT NULL::bigint[], record_appends integer[] DEFAULT NULL::integer[], keys bytea[] DEFAULT NULL::bytea[], fingerprints bytea[] DEFAULT NULL::bytea[], answers bytea[] DEFAULT NULL::bytea[], recorded_ats bigint[] DEFAULT NULL::bigint[])
 RETURNS boolean[]
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
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
$function$
 -- Called by turnlog/adapters/postgres/store.py.
