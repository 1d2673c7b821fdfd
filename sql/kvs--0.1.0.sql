/* sql/kvs--0.1.0.sql: everything that CREATE EXTENSION kvs creates.
 *
 * 1. Base tables (schema _kvs, for the extension alone)
 * 2. Guard and foreign data wrapper
 * 3. Entries
 * 4. Version control
 * 5. What other stores call
 * 7. Privileges
 *
 * Functions of schema kvs are the public interface; their C symbol is kvs_NAME. Those that return many rows are
 * SQL-language wrappers over a function of the same name in _kvs: the planner inlines the wrapper, and because
 * the inner function stands in a target list its rows stream, so that LIMIT reads only what it returns. */

-- complain if the script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION kvs" to load this file. \quit

-- Everything is bound while this runs: nothing but the system's own operators and functions may be found.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'kvs cannot be installed in a database with encoding %', current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = 'Documents and keys are stored as UTF-8.',
                  HINT = 'Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;

DO $$
DECLARE
    everything text := (SELECT string_agg(quote_ident(pubname), ', ' ORDER BY pubname) FROM pg_publication WHERE puballtables);
BEGIN
    IF everything IS NOT NULL THEN
        RAISE WARNING 'the tables of kvs are published too, by %, which is FOR ALL TABLES', everything
            USING DETAIL = 'Subscribers that do not have these tables stop at the first write to the store.',
                  HINT = 'Publish by table or FOR TABLES IN SCHEMA instead.';
    END IF;
END
$$;

CREATE SCHEMA kvs;
COMMENT ON SCHEMA kvs IS
'Versioned, reactive JSON documents: functions, views and the foreign table kvs.entries.
What a role may do is granted on kvs.entries: SELECT reads, INSERT, UPDATE and DELETE write.
Arguments: branch NULL means the session''s branch (kvs.branch), as_of NULL the session''s moment (kvs.as_of); a ref is
HEAD, WORKING, a branch, a tag or a commit hash of at least 4 digits, followed by any number of ~n, ^n, @{n}, @{timestamp}.
Errors of every function: 42501 no privilege on kvs.entries, 22023 malformed argument, 42704 unknown branch or ref,
XX001 corruption; of every write also 25006 (kvs.as_of is set, or the transaction is read only) and 40001
(serialization conflict above READ COMMITTED: run the transaction again).';

CREATE SCHEMA _kvs;
COMMENT ON SCHEMA _kvs IS 'Storage of the kvs extension. Not an interface: use schema kvs.';


/* ---------------------------------------------------------------------------------------------------------
 * 1. Base tables
 *
 * Values, metadata, nodes and commits are stored in the core's own encodings (docs/node-format.md), so that
 * flush and commit move bytes. No row is inserted here: branch main and the initial commit are constants
 * until the first write. There are no foreign keys: each reader checks what it follows, and kvs.check() all.
 * ------------------------------------------------------------------------------------------------------ */

CREATE TABLE _kvs.store (
    log_id            uuid PRIMARY KEY,
    epoch             int NOT NULL UNIQUE,
    system_identifier bigint NOT NULL,
    database_oid      bigint NOT NULL,
    timeline          int NOT NULL,
    first_seq         bigint NOT NULL,
    created_at        timestamptz NOT NULL
);
COMMENT ON TABLE _kvs.store IS 'Identity of this change log; a new row begins after a restore or a failover';
COMMENT ON COLUMN _kvs.store.log_id IS 'with a seq it names one change, in whichever store it is met';
COMMENT ON COLUMN _kvs.store.epoch IS 'positions are epoch * 2^48 + n';
COMMENT ON COLUMN _kvs.store.system_identifier IS 'of the cluster that wrote this log';
COMMENT ON COLUMN _kvs.store.database_oid IS 'of the database that wrote this log';
COMMENT ON COLUMN _kvs.store.timeline IS 'of the cluster when the epoch began';
COMMENT ON COLUMN _kvs.store.first_seq IS 'first change that belongs to this log_id';
SELECT pg_catalog.pg_extension_config_dump('_kvs.store', '');

CREATE TABLE _kvs.chunk (
    hash bytea PRIMARY KEY,
    body bytea NOT NULL
) WITH (toast_tuple_target = 8160);
-- Frames are compressed already, and a node read inline costs half of one read from TOAST.
ALTER TABLE _kvs.chunk ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE _kvs.chunk IS 'Immutable tree nodes and blobs; rows are only inserted, and deleted by gc and repack';
COMMENT ON COLUMN _kvs.chunk.hash IS 'SHA-256 address of the uncompressed chunk';
COMMENT ON COLUMN _kvs.chunk.body IS 'frame: codec byte, then the raw or compressed chunk';
SELECT pg_catalog.pg_extension_config_dump('_kvs.chunk', '');

CREATE SEQUENCE _kvs.pack_id;
SELECT pg_catalog.pg_extension_config_dump('_kvs.pack_id', '');

CREATE TABLE _kvs.pack (
    id        bigint PRIMARY KEY,
    next      bigint,
    addresses bigint[] NOT NULL,
    body      bytea NOT NULL
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.1);
-- Hashes and packs do not compress. A pack that grows is a new row, for which vacuum is to make room soon.
ALTER TABLE _kvs.pack ALTER COLUMN addresses SET STORAGE EXTERNAL, ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX pack_next ON _kvs.pack (next);
CREATE INDEX pack_addresses ON _kvs.pack USING gin (addresses) WITH (fastupdate = off);
COMMENT ON TABLE _kvs.pack IS 'Chunks that only history needs, many in one; repack and gc write rows anew';
COMMENT ON COLUMN _kvs.pack.next IS 'first 8 bytes of the chunk that replaced the last member, while there is room for it';
COMMENT ON COLUMN _kvs.pack.addresses IS 'first 8 bytes, the highest first, of the SHA-256 address of each member';
COMMENT ON COLUMN _kvs.pack.body IS 'codec byte and sizes, then the members compressed as one';
SELECT pg_catalog.pg_extension_config_dump('_kvs.pack', '');

CREATE SEQUENCE _kvs.dictionary_id AS int;
SELECT pg_catalog.pg_extension_config_dump('_kvs.dictionary_id', '');

CREATE TABLE _kvs.dictionary (
    id          int PRIMARY KEY,
    chunk_class smallint NOT NULL,
    body        bytea NOT NULL,
    trained_at  timestamptz NOT NULL,
    samples     bigint NOT NULL,
    saving      real NOT NULL
);
COMMENT ON TABLE _kvs.dictionary IS 'Trained dictionaries; rows are only inserted, and stay: frames name them';
COMMENT ON COLUMN _kvs.dictionary.chunk_class IS '0 leaf, 1 internal node, 2 blob; new chunks of a class take the newest';
COMMENT ON COLUMN _kvs.dictionary.body IS 'as zstd''s library trains it';
COMMENT ON COLUMN _kvs.dictionary.samples IS 'how many chunks it was trained on';
COMMENT ON COLUMN _kvs.dictionary.saving IS 'part of the bytes that it saved on chunks that it was not trained on';
SELECT pg_catalog.pg_extension_config_dump('_kvs.dictionary', '');

CREATE TABLE _kvs.commit (
    hash              bytea PRIMARY KEY,
    generation        bigint NOT NULL,
    parents           bytea[] NOT NULL,
    data_root         bytea NOT NULL,
    meta_root         bytea NOT NULL,
    author            text NOT NULL,
    committer         text NOT NULL,
    message           text NOT NULL,
    committed_at      timestamptz NOT NULL,
    log_id            uuid NOT NULL,
    consumed_snapshot pg_snapshot,
    body              bytea NOT NULL,
    ancestry          bytea
);
COMMENT ON TABLE _kvs.commit IS 'The commit graph; body is the commit, most other columns are its fields for SQL';
COMMENT ON COLUMN _kvs.commit.hash IS 'SHA-256 of body';
COMMENT ON COLUMN _kvs.commit.generation IS '0 for the initial commit, else one more than the highest of the parents';
COMMENT ON COLUMN _kvs.commit.parents IS 'hashes, first parent first';
COMMENT ON COLUMN _kvs.commit.log_id IS 'the log that the commit was made from';
COMMENT ON COLUMN _kvs.commit.consumed_snapshot IS 'which changes of that log are in it; not part of body';
COMMENT ON COLUMN _kvs.commit.ancestry IS 'depth along first parents and a pointer down them, derived from the graph; not part of body, null where unknown';
SELECT pg_catalog.pg_extension_config_dump('_kvs.commit', '');

-- 1 is branch main.
CREATE SEQUENCE _kvs.branch_id AS int START WITH 2;
SELECT pg_catalog.pg_extension_config_dump('_kvs.branch_id', '');

-- The row of a branch is written anew by each move, in a new epoch. Both keys have the epoch in them, so that what is
-- looked for from the newest on is found at once, however many dead rows lie behind it. One row per id, and per name.
CREATE TABLE _kvs.branch (
    epoch             bigint PRIMARY KEY,
    written_epoch     bigint NOT NULL,
    id                int NOT NULL,
    name              text COLLATE "C" NOT NULL,
    head              bytea NOT NULL,
    working_data_root bytea NOT NULL,
    working_meta_root bytea NOT NULL,
    created_at        timestamptz NOT NULL,
    flushed_at        timestamptz,
    flushed_rows      bigint,
    flushed_seq       bigint,
    older_epochs      bigint[],
    autocommit        bigint,
    UNIQUE (name, epoch),
    CHECK (epoch >> 32 = id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0,
        vacuum_truncate = off);
-- Not truncated, because sessions remember where they saw a row.
COMMENT ON TABLE _kvs.branch IS 'Branches; while it is empty there is main (id 1) on the initial commit';
COMMENT ON COLUMN _kvs.branch.epoch IS 'of working rows: the current one; id * 2^32 + a count of moves';
COMMENT ON COLUMN _kvs.branch.written_epoch IS 'where rows go until the move that wrote this row is committed';
COMMENT ON COLUMN _kvs.branch.older_epochs IS 'those before in which rows may be left, the latest first; null: none';
COMMENT ON COLUMN _kvs.branch.head IS 'hash of the commit that the branch stands on';
COMMENT ON COLUMN _kvs.branch.working_data_root IS 'data tree of the last flush; working rows lie over it';
COMMENT ON COLUMN _kvs.branch.working_meta_root IS 'metadata tree of the last flush';
COMMENT ON COLUMN _kvs.branch.flushed_at IS 'when the last flush ran; null before the first';
COMMENT ON COLUMN _kvs.branch.flushed_rows IS 'how many working rows it folded';
COMMENT ON COLUMN _kvs.branch.flushed_seq IS 'highest change that it folded';
COMMENT ON COLUMN _kvs.branch.autocommit IS 'null: off; 0: each transaction; else microseconds: each interval';
SELECT pg_catalog.pg_extension_config_dump('_kvs.branch', '');

CREATE TABLE _kvs.tag (
    name        text COLLATE "C" PRIMARY KEY,
    commit_hash bytea NOT NULL,
    message     text,
    tagger      text NOT NULL,
    created_at  timestamptz NOT NULL
);
COMMENT ON TABLE _kvs.tag IS 'Tags: names of commits that do not move';
SELECT pg_catalog.pg_extension_config_dump('_kvs.tag', '');

CREATE SEQUENCE _kvs.reflog_id;
SELECT pg_catalog.pg_extension_config_dump('_kvs.reflog_id', '');

CREATE TABLE _kvs.reflog (
    id             bigint PRIMARY KEY DEFAULT nextval('_kvs.reflog_id'),
    branch_id      int NOT NULL,
    branch         text COLLATE "C" NOT NULL,
    from_commit    bytea,
    to_commit      bytea,
    operation      text NOT NULL,
    author         text NOT NULL,
    at             timestamptz NOT NULL,
    discarded_root bytea
);
CREATE INDEX reflog_branch_id ON _kvs.reflog (branch, id);
COMMENT ON TABLE _kvs.reflog IS 'Every move of a branch head, so that nothing is lost by a move';
COMMENT ON COLUMN _kvs.reflog.from_commit IS 'null when the branch was created, or when the commit was collected';
COMMENT ON COLUMN _kvs.reflog.to_commit IS 'null when the branch was deleted';
COMMENT ON COLUMN _kvs.reflog.discarded_root IS 'data root of uncommitted work that the move threw away';
SELECT pg_catalog.pg_extension_config_dump('_kvs.reflog', '');

CREATE TABLE _kvs.remote (
    name         text COLLATE "C" PRIMARY KEY,
    conninfo     text NOT NULL,
    server_owner text NOT NULL DEFAULT '',
    added_by     text NOT NULL,
    added_at     timestamptz NOT NULL
);
COMMENT ON TABLE _kvs.remote IS 'Other stores, and how they are reached; holds no passwords';
COMMENT ON COLUMN _kvs.remote.conninfo IS 'a connection string of libpq, or foreign_server=NAME';
COMMENT ON COLUMN _kvs.remote.server_owner IS
'role that the foreign server belonged to when the remote was added; empty: there is none, or a dump did not know it';
SELECT pg_catalog.pg_extension_config_dump('_kvs.remote', '');

CREATE TABLE _kvs.remote_ref (
    remote     text COLLATE "C" NOT NULL,
    branch     text COLLATE "C" NOT NULL,
    head       bytea NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (remote, branch)
);
COMMENT ON TABLE _kvs.remote_ref IS 'Where branches of remotes stood when they were last fetched or pushed to; roots of gc';
COMMENT ON COLUMN _kvs.remote_ref.remote IS 'bundle: what a bundle brought, of the branch or tag that was exported';
SELECT pg_catalog.pg_extension_config_dump('_kvs.remote_ref', '');

CREATE TABLE _kvs.working (
    epoch      bigint NOT NULL,
    change_seq bigint NOT NULL,
    version    bigint NOT NULL,
    key        bytea NOT NULL,
    meta       bytea NOT NULL,
    item       bytea,
    PRIMARY KEY (epoch, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.2,
        toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_threshold = 1000,
        toast.autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE _kvs.working IS 'What was written since the last flush of the branch, one row per key';
COMMENT ON COLUMN _kvs.working.epoch IS 'branch * 2^32 + a count: the branch''s row tells which of them are live';
COMMENT ON COLUMN _kvs.working.change_seq IS 'the change that wrote this state';
COMMENT ON COLUMN _kvs.working.meta IS 'item of the metadata tree';
COMMENT ON COLUMN _kvs.working.item IS 'item of the data tree; null: the key is deleted';
SELECT pg_catalog.pg_extension_config_dump('_kvs.working', '');

-- Cache 1: a key's changes are numbered in the order of its writes.
CREATE SEQUENCE _kvs.change_seq CACHE 1;
SELECT pg_catalog.pg_extension_config_dump('_kvs.change_seq', '');

CREATE TABLE _kvs.change (
    seq       bigint PRIMARY KEY,
    prev_seq  bigint NOT NULL,
    xid       xid8 NOT NULL,
    version   bigint NOT NULL,
    branch_id int NOT NULL,
    op        smallint NOT NULL,
    key       bytea,
    meta      bytea,
    item      bytea
);
CREATE INDEX change_range ON _kvs.change (seq) WHERE key IS NULL;
COMMENT ON TABLE _kvs.change IS 'The change log, append only: one row per write of a key, or one range record per bulk operation';
COMMENT ON COLUMN _kvs.change.prev_seq IS 'the previous change of this key on this branch; 0: none in this log';
COMMENT ON COLUMN _kvs.change.xid IS 'the writing top-level transaction';
COMMENT ON COLUMN _kvs.change.op IS 'the core''s Operation: 1 set, 2 patch, 3 delete, ...';
COMMENT ON COLUMN _kvs.change.key IS 'null: a range record, whose changes are the difference of its roots';
COMMENT ON COLUMN _kvs.change.meta IS
'item of the metadata tree after the change, but for version, log_id and seq, with the trace if there is one;
of a range record: origin and trace, null: neither';
COMMENT ON COLUMN _kvs.change.item IS
'item of the data tree after the change; null: deleted. Of a range record: roots of data and metadata before, then after';
SELECT pg_catalog.pg_extension_config_dump('_kvs.change', '');

-- The log is one table as long as it is kept for ever. With kvs.change_retention it goes round: one member after the
-- other is written to, and the oldest is truncated. _kvs.change is the first of them, and all of them to who reads it.
CREATE TABLE _kvs.change_1 (PRIMARY KEY (seq)) INHERITS (_kvs.change);
CREATE INDEX change_1_range ON _kvs.change_1 (seq) WHERE key IS NULL;
COMMENT ON TABLE _kvs.change_1 IS 'A member of the change log: see _kvs.change_member';
SELECT pg_catalog.pg_extension_config_dump('_kvs.change_1', '');
CREATE TABLE _kvs.change_2 (PRIMARY KEY (seq)) INHERITS (_kvs.change);
CREATE INDEX change_2_range ON _kvs.change_2 (seq) WHERE key IS NULL;
COMMENT ON TABLE _kvs.change_2 IS 'A member of the change log: see _kvs.change_member';
SELECT pg_catalog.pg_extension_config_dump('_kvs.change_2', '');
CREATE TABLE _kvs.change_3 (PRIMARY KEY (seq)) INHERITS (_kvs.change);
CREATE INDEX change_3_range ON _kvs.change_3 (seq) WHERE key IS NULL;
COMMENT ON TABLE _kvs.change_3 IS 'A member of the change log: see _kvs.change_member';
SELECT pg_catalog.pg_extension_config_dump('_kvs.change_3', '');
CREATE TABLE _kvs.change_4 (PRIMARY KEY (seq)) INHERITS (_kvs.change);
CREATE INDEX change_4_range ON _kvs.change_4 (seq) WHERE key IS NULL;
COMMENT ON TABLE _kvs.change_4 IS 'A member of the change log: see _kvs.change_member';
SELECT pg_catalog.pg_extension_config_dump('_kvs.change_4', '');
CREATE TABLE _kvs.change_5 (PRIMARY KEY (seq)) INHERITS (_kvs.change);
CREATE INDEX change_5_range ON _kvs.change_5 (seq) WHERE key IS NULL;
COMMENT ON TABLE _kvs.change_5 IS 'A member of the change log: see _kvs.change_member';
SELECT pg_catalog.pg_extension_config_dump('_kvs.change_5', '');

CREATE TABLE _kvs.change_member (
    member       smallint PRIMARY KEY CHECK (member BETWEEN 0 AND 5),
    first_seq    bigint,
    started_at   timestamptz,
    closed_at    timestamptz,
    condemned_at timestamptz,
    low_seq      bigint NOT NULL
);
COMMENT ON TABLE _kvs.change_member IS
'Members of the change log (0 is _kvs.change, n is _kvs.change_n); while none is in use, member 0 is';
COMMENT ON COLUMN _kvs.change_member.first_seq IS 'null: it is empty and waits; the highest is that of the member written to';
COMMENT ON COLUMN _kvs.change_member.started_at IS 'since when it was written to; null: since the store began';
COMMENT ON COLUMN _kvs.change_member.closed_at IS 'from then on nobody wrote to it; null: somebody may';
COMMENT ON COLUMN _kvs.change_member.condemned_at IS 'it is truncated when every snapshot sees this; null: it is kept';
COMMENT ON COLUMN _kvs.change_member.low_seq IS 'changes below the highest of these may be gone, those from there on are not';
SELECT pg_catalog.pg_extension_config_dump('_kvs.change_member', '');

CREATE TABLE _kvs.hook (
    name           text COLLATE "C" PRIMARY KEY,
    event          text NOT NULL CHECK (event IN ('pre_commit', 'post_commit')),
    function       text NOT NULL,
    function_owner text NOT NULL DEFAULT '',
    pattern        text NOT NULL,
    creator        text NOT NULL,
    created_at     timestamptz NOT NULL
);
COMMENT ON TABLE _kvs.hook IS 'Functions that are called with each commit';
COMMENT ON COLUMN _kvs.hook.function IS 'signature, qualified; looked up when it is called';
COMMENT ON COLUMN _kvs.hook.function_owner IS
'role that the function belonged to when the hook was added; empty, as after a dump that did not know it: the hook refuses';
COMMENT ON COLUMN _kvs.hook.pattern IS 'called only when a key that matches was changed';
COMMENT ON COLUMN _kvs.hook.creator IS 'role that it runs as';
SELECT pg_catalog.pg_extension_config_dump('_kvs.hook', '');

CREATE TABLE _kvs.tick (
    last_pos  bigint PRIMARY KEY,
    first_pos bigint NOT NULL,
    low_seq   bigint NOT NULL,
    at        timestamptz NOT NULL,
    snapshot  pg_snapshot NOT NULL,
    items     bytea NOT NULL
);
COMMENT ON TABLE _kvs.tick IS 'The order of committed changes: the positions that the sequencer gave them, step by step; append only';
COMMENT ON COLUMN _kvs.tick.last_pos IS 'epoch * 2^48 + n';
COMMENT ON COLUMN _kvs.tick.low_seq IS 'all changes with lower numbers have a position, or will never be committed';
COMMENT ON COLUMN _kvs.tick.snapshot IS 'transactions whose changes have a position: those that it shows as ended';
COMMENT ON COLUMN _kvs.tick.items IS 'the numbers of the changes in order (kvs/event/tick.h)';
SELECT pg_catalog.pg_extension_config_dump('_kvs.tick', '');

-- Of sessions that live: nothing of it is dumped, logged or replicated.
CREATE UNLOGGED TABLE _kvs.listener (
    channel   text COLLATE "C",
    pattern   text COLLATE "C",
    branch_id int,
    role      oid NOT NULL,
    pid       int NOT NULL,
    since     timestamptz NOT NULL,
    is_lagged boolean NOT NULL DEFAULT false,
    PRIMARY KEY (channel, pattern, branch_id)
);
COMMENT ON TABLE _kvs.listener IS 'What sessions have subscribed to with kvs.subscribe()';
COMMENT ON COLUMN _kvs.listener.channel IS 'of NOTIFY; nobody can guess it';
COMMENT ON COLUMN _kvs.listener.branch_id IS '0: all branches';
COMMENT ON COLUMN _kvs.listener.role IS 'whose privileges are asked with each event';
COMMENT ON COLUMN _kvs.listener.is_lagged IS 'events were left out, because the queue of notifications was full; it will be told';

CREATE TABLE _kvs.worker (
    name          text COLLATE "C" PRIMARY KEY,
    is_stopped    boolean NOT NULL DEFAULT false,
    pos           bigint,
    last_error    text,
    last_error_at timestamptz
);
COMMENT ON TABLE _kvs.worker IS 'What is to be remembered of background workers of this database; not dumped';
COMMENT ON COLUMN _kvs.worker.is_stopped IS 'kvs.stop_workers() was called, and kvs.start_workers() not since';
COMMENT ON COLUMN _kvs.worker.pos IS 'of the stream, to which the worker has followed it; null: it has not begun';

-- What the maintenance worker makes of the stream. Not dumped: it makes it anew.
CREATE TABLE _kvs.expiry (
    branch_id int,
    key       bytea,
    look_at   timestamptz NOT NULL,
    PRIMARY KEY (branch_id, key)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX expiry_due ON _kvs.expiry (look_at, branch_id, key);
COMMENT ON TABLE _kvs.expiry IS 'When to look whether an entry has expired: each that has an end is here, with that moment or an earlier one';

CREATE TABLE _kvs.expiry_scan (
    branch_id int PRIMARY KEY,
    next_key  bytea NOT NULL DEFAULT ''
);
COMMENT ON TABLE _kvs.expiry_scan IS 'Branches of which entries may lack in _kvs.expiry, because they came without an event';
COMMENT ON COLUMN _kvs.expiry_scan.next_key IS 'before it nothing lacks any more';

CREATE SEQUENCE _kvs.subscription_id AS int;
SELECT pg_catalog.pg_extension_config_dump('_kvs.subscription_id', '');

CREATE TABLE _kvs.subscription (
    id             int PRIMARY KEY,
    name           text COLLATE "C" NOT NULL UNIQUE,
    generation     int NOT NULL,
    start_pos      bigint NOT NULL,
    pattern        text NOT NULL,
    branch_id      int,
    operations     text[],
    max_deliveries int,
    holds_key      boolean NOT NULL,
    max_in_flight  int,
    creator        text NOT NULL,
    created_at     timestamptz NOT NULL
);
COMMENT ON TABLE _kvs.subscription IS 'Durable subscriptions; what changes all the time is in _kvs.subscription_member';
COMMENT ON COLUMN _kvs.subscription.generation IS 'counts kvs.seek; what was written in an earlier one does not count any more';
COMMENT ON COLUMN _kvs.subscription.start_pos IS 'the generation begins with the event behind it';
COMMENT ON COLUMN _kvs.subscription.branch_id IS 'null: all branches';
COMMENT ON COLUMN _kvs.subscription.holds_key IS 'whether a parked event holds the later ones of its key';
COMMENT ON COLUMN _kvs.subscription.creator IS 'role that may move and drop it, beside the owner of the extension';
SELECT pg_catalog.pg_extension_config_dump('_kvs.subscription', '');

-- The row of a member is written anew by each poll and ack. It is found from the newest round on, so that what is older is
-- not walked over where a snapshot keeps it; in between the index has nothing to do (HOT).
CREATE TABLE _kvs.subscription_member (
    subscription int NOT NULL,
    member       text COLLATE "C" NOT NULL,
    round        bigint NOT NULL,
    revision     bigint NOT NULL,
    generation   int NOT NULL,
    floor        bigint NOT NULL,
    seen_at      timestamptz NOT NULL,
    state        bytea NOT NULL,
    PRIMARY KEY (subscription, member, round)
) WITH (fillfactor = 40, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
ALTER TABLE _kvs.subscription_member ALTER COLUMN state SET STORAGE EXTERNAL;
COMMENT ON TABLE _kvs.subscription_member IS 'What the members of durable subscriptions have done and have in their hands, one row each';
COMMENT ON COLUMN _kvs.subscription_member.member IS 'empty: the member without a name';
COMMENT ON COLUMN _kvs.subscription_member.round IS 'revision / 64';
COMMENT ON COLUMN _kvs.subscription_member.floor IS 'all events up to there are done, as the member knew';
COMMENT ON COLUMN _kvs.subscription_member.state IS 'kvs/event/member_state.h';
SELECT pg_catalog.pg_extension_config_dump('_kvs.subscription_member', '');

CREATE TABLE _kvs.subscription_event (
    subscription int NOT NULL,
    generation   int NOT NULL,
    pos          bigint NOT NULL,
    branch_id    int NOT NULL,
    key          text COLLATE "C" NOT NULL,
    deliveries   int NOT NULL,
    spared       int NOT NULL DEFAULT 0,
    parked_at    timestamptz,
    reason       text,
    sqlstate     text,
    PRIMARY KEY (subscription, generation, pos)
);
CREATE INDEX subscription_event_key ON _kvs.subscription_event (subscription, generation, branch_id, key);
COMMENT ON TABLE _kvs.subscription_event IS
'Events set aside, so that the subscription goes on behind them: parked ones, and those of their keys that wait behind them';
COMMENT ON COLUMN _kvs.subscription_event.spared IS 'deliveries that no longer count, since it was replayed';
COMMENT ON COLUMN _kvs.subscription_event.parked_at IS 'null: it waits for its turn';
SELECT pg_catalog.pg_extension_config_dump('_kvs.subscription_event', '');

CREATE SEQUENCE _kvs.binding_id AS int;
SELECT pg_catalog.pg_extension_config_dump('_kvs.binding_id', '');

CREATE TABLE _kvs.binding (
    id         int PRIMARY KEY,
    name       text COLLATE "C" NOT NULL UNIQUE,
    pattern    text NOT NULL,
    branch_id  int NOT NULL,
    target     regclass NOT NULL,
    shape      text NOT NULL,
    mapping    jsonb NOT NULL,
    direction  text NOT NULL,
    conflict   text NOT NULL,
    creator    text NOT NULL,
    partitions text NOT NULL,
    created_at timestamptz NOT NULL,
    is_paused  boolean NOT NULL DEFAULT false,
    reason     text
);
COMMENT ON TABLE _kvs.binding IS 'Native tables that are bound to keys; what changes all the time is in _kvs.binding_progress';
COMMENT ON COLUMN _kvs.binding.shape IS 'what its columns were when it was bound or resumed last';
COMMENT ON COLUMN _kvs.binding.partitions IS 'those that its triggers are on';
COMMENT ON COLUMN _kvs.binding.creator IS 'role that it reads and writes the store as';
COMMENT ON COLUMN _kvs.binding.reason IS 'why it is paused';
SELECT pg_catalog.pg_extension_config_dump('_kvs.binding', '');

-- Written anew with each batch. It is found from the newest round on, as _kvs.subscription_member.
CREATE TABLE _kvs.binding_progress (
    binding    int NOT NULL,
    round      bigint NOT NULL,
    revision   bigint NOT NULL,
    pos        bigint NOT NULL,
    load       text,
    loaded     text[],
    cluster    bigint,
    seen       pg_snapshot,
    written    bigint NOT NULL DEFAULT 0,
    returned   bigint NOT NULL DEFAULT 0,
    conflicts  bigint NOT NULL DEFAULT 0,
    applied_at timestamptz,
    PRIMARY KEY (binding, round)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE _kvs.binding_progress IS 'How far bindings have come, one row each';
COMMENT ON COLUMN _kvs.binding_progress.round IS 'revision / 64';
COMMENT ON COLUMN _kvs.binding_progress.pos IS 'of the stream; all up to there is in the table';
COMMENT ON COLUMN _kvs.binding_progress.load IS 'to_table, from_table: what is being loaded; null: nothing';
COMMENT ON COLUMN _kvs.binding_progress.loaded IS 'the key, or what identifies the row, up to which it is';
COMMENT ON COLUMN _kvs.binding_progress.seen IS 'marks of transactions that it shows as ended are dealt with, in the cluster of this number';
SELECT pg_catalog.pg_extension_config_dump('_kvs.binding_progress', '');

CREATE TABLE _kvs.binding_base (
    binding int NOT NULL,
    key     text COLLATE "C" NOT NULL,
    entry   bytea,
    "row"   bytea,
    PRIMARY KEY (binding, key)
) WITH (fillfactor = 80);
COMMENT ON TABLE _kvs.binding_base IS
'What the entries and the rows of a binding were when they were brought together last: a side that differs from it was changed since';
COMMENT ON COLUMN _kvs.binding_base.entry IS 'hash of the document; null: there was none';
COMMENT ON COLUMN _kvs.binding_base.row IS 'hash of what the row held in the columns that come from the document; null: there was none';
SELECT pg_catalog.pg_extension_config_dump('_kvs.binding_base', '');

-- Not found by key: whoever has dealt with a mark deletes it, and what is dead is not walked over where a snapshot keeps it.
CREATE TABLE _kvs.binding_mark (
    binding  int NOT NULL,
    xid      xid8 NOT NULL,
    key      text COLLATE "C",
    by_store boolean NOT NULL,
    by_table boolean NOT NULL,
    at       timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX binding_mark_xid ON _kvs.binding_mark (binding, xid);
COMMENT ON TABLE _kvs.binding_mark IS 'Keys whose rows were changed, and others that a binding has to look at';
COMMENT ON COLUMN _kvs.binding_mark.key IS 'null: all that the binding knows';
COMMENT ON COLUMN _kvs.binding_mark.by_store IS 'the entry is known to have changed';
COMMENT ON COLUMN _kvs.binding_mark.by_table IS 'the row is';
SELECT pg_catalog.pg_extension_config_dump('_kvs.binding_mark', '');

CREATE TABLE _kvs.binding_held (
    binding    int NOT NULL,
    key        text COLLATE "C" NOT NULL,
    by_store   boolean NOT NULL,
    by_table   boolean NOT NULL,
    stored_at  timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    delay      int NOT NULL,
    due        timestamptz NOT NULL,
    PRIMARY KEY (binding, key)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE _kvs.binding_held IS 'Keys that a binding has put off, because somebody held the row or the entry';
COMMENT ON COLUMN _kvs.binding_held.delay IS 'for how long it was put off last, in milliseconds';
SELECT pg_catalog.pg_extension_config_dump('_kvs.binding_held', '');

CREATE TABLE _kvs.binding_parked (
    binding    int NOT NULL,
    key        text COLLATE "C" NOT NULL,
    pos        bigint,
    reason     text NOT NULL,
    sqlstate   text NOT NULL,
    value      jsonb,
    events     int NOT NULL DEFAULT 1,
    parked_at  timestamptz NOT NULL,
    PRIMARY KEY (binding, key)
);
COMMENT ON TABLE _kvs.binding_parked IS 'Keys at which a binding has failed';
COMMENT ON COLUMN _kvs.binding_parked.pos IS 'of the event; null: the row was changed';
COMMENT ON COLUMN _kvs.binding_parked.value IS 'the document that could not be written, or the row';
COMMENT ON COLUMN _kvs.binding_parked.events IS 'the one that failed, and those of the key that it holds';
SELECT pg_catalog.pg_extension_config_dump('_kvs.binding_parked', '');

CREATE TABLE _kvs.merge_policy (
    pattern text COLLATE "C" PRIMARY KEY,
    policy  text NOT NULL
);
COMMENT ON TABLE _kvs.merge_policy IS 'How the entries of a pattern merge, where it is not by conflict';
SELECT pg_catalog.pg_extension_config_dump('_kvs.merge_policy', '');

CREATE TABLE _kvs.merge (
    branch_id     int PRIMARY KEY,
    stash_id      bigint,
    source        text NOT NULL,
    source_commit bytea NOT NULL,
    message       text NOT NULL,
    started_by    text NOT NULL,
    started_at    timestamptz NOT NULL
);
COMMENT ON TABLE _kvs.merge IS 'Merges that wait for their conflicts to be resolved, beside their branches';
COMMENT ON COLUMN _kvs.merge.stash_id IS 'the stash that is being applied; null: a commit is merged';
COMMENT ON COLUMN _kvs.merge.source IS 'what is merged, as it was named';
SELECT pg_catalog.pg_extension_config_dump('_kvs.merge', '');

CREATE TABLE _kvs.conflict (
    branch_id  int NOT NULL,
    key        text COLLATE "C" NOT NULL,
    path       text COLLATE "C" NOT NULL,
    base       jsonb,
    ours       jsonb,
    theirs     jsonb,
    reason     text NOT NULL,
    resolution text,
    value      jsonb,
    PRIMARY KEY (branch_id, key, path)
);
COMMENT ON TABLE _kvs.conflict IS 'The conflicts of staged merges; null stands for what is not there';
COMMENT ON COLUMN _kvs.conflict.resolution IS 'ours, theirs, base, delete or value; null: not resolved';
SELECT pg_catalog.pg_extension_config_dump('_kvs.conflict', '');

CREATE SEQUENCE _kvs.stash_id;
SELECT pg_catalog.pg_extension_config_dump('_kvs.stash_id', '');

CREATE TABLE _kvs.stash (
    id          bigint PRIMARY KEY DEFAULT nextval('_kvs.stash_id'),
    branch      text COLLATE "C" NOT NULL,
    head        bytea NOT NULL,
    commit_hash bytea NOT NULL,
    author      text NOT NULL,
    message     text NOT NULL,
    at          timestamptz NOT NULL
);
COMMENT ON TABLE _kvs.stash IS 'Uncommitted work put aside';
COMMENT ON COLUMN _kvs.stash.commit_hash IS 'a commit of the work on top of head; only this row refers to it';
SELECT pg_catalog.pg_extension_config_dump('_kvs.stash', '');
CREATE TABLE _kvs.collection (
    at              timestamptz PRIMARY KEY,
    objects_removed bigint NOT NULL,
    bytes_removed   bigint NOT NULL,
    objects_live    bigint NOT NULL,
    bytes_live      bigint NOT NULL,
    chunks_inserted bigint NOT NULL
);
COMMENT ON TABLE _kvs.collection IS 'What each garbage collection did; automatic ones go by the newest';
COMMENT ON COLUMN _kvs.collection.chunks_inserted IS 'what the server''s statistics said of _kvs.chunk then';
SELECT pg_catalog.pg_extension_config_dump('_kvs.collection', '');
CREATE TABLE _kvs.training (
    at     timestamptz PRIMARY KEY,
    chunks bigint NOT NULL,
    kept   int NOT NULL
);
COMMENT ON TABLE _kvs.training IS 'What each training of dictionaries came to; automatic ones go by the newest';
COMMENT ON COLUMN _kvs.training.chunks IS 'what the server''s statistics said of _kvs.chunk then';
COMMENT ON COLUMN _kvs.training.kept IS 'how many dictionaries paid';
SELECT pg_catalog.pg_extension_config_dump('_kvs.training', '');
CREATE TABLE _kvs.repacking (
    at               timestamptz PRIMARY KEY,
    chunks_rewritten bigint NOT NULL,
    bytes_before     bigint NOT NULL,
    bytes_after      bigint NOT NULL,
    is_complete      boolean NOT NULL,
    chunks_inserted  bigint NOT NULL,
    frontier         bytea[] NOT NULL
);
COMMENT ON TABLE _kvs.repacking IS 'What each repacking did; automatic ones go by the newest';
COMMENT ON COLUMN _kvs.repacking.is_complete IS 'false: there is more to do, and the next one continues it';
COMMENT ON COLUMN _kvs.repacking.chunks_inserted IS 'what the server''s statistics said of _kvs.chunk then';
COMMENT ON COLUMN _kvs.repacking.frontier IS 'tips of the commits whose predecessors'' chunks were taken';
SELECT pg_catalog.pg_extension_config_dump('_kvs.repacking', '');


/* ---------------------------------------------------------------------------------------------------------
 * 2. Guard and foreign data wrapper
 * ------------------------------------------------------------------------------------------------------ */

CREATE FUNCTION _kvs.guard_read() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'kvs_guard_read';
COMMENT ON FUNCTION _kvs.guard_read IS
'True if the current role may read, by the access guard; else error 42501. Each view of schema kvs asks it.';

CREATE FUNCTION _kvs.initial_commit() RETURNS bytea
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'kvs_initial_commit';
COMMENT ON FUNCTION _kvs.initial_commit IS 'Hash of the commit that every store begins with.';

CREATE FUNCTION _kvs.working_changes(branch_id int) RETURNS bigint
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_working_changes';
COMMENT ON FUNCTION _kvs.working_changes IS 'How many keys differ between HEAD and WORKING of a branch.';

CREATE FUNCTION _kvs.kvs_fdw_handler() RETURNS fdw_handler
LANGUAGE C STRICT
AS 'MODULE_PATHNAME', 'kvs_fdw_handler';
COMMENT ON FUNCTION _kvs.kvs_fdw_handler IS 'Callbacks of the foreign data wrapper.';

CREATE FUNCTION _kvs.kvs_fdw_validator(options text[], catalog oid) RETURNS void
LANGUAGE C STRICT
AS 'MODULE_PATHNAME', 'kvs_fdw_validator';
COMMENT ON FUNCTION _kvs.kvs_fdw_validator IS 'Refuses unknown or malformed options of foreign tables.';

CREATE FOREIGN DATA WRAPPER kvs_fdw
    HANDLER _kvs.kvs_fdw_handler
    VALIDATOR _kvs.kvs_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER kvs_fdw IS 'the store of the kvs extension in this database';

CREATE SERVER kvs FOREIGN DATA WRAPPER kvs_fdw;
COMMENT ON SERVER kvs IS 'the store of the kvs extension in this database';

CREATE FOREIGN TABLE kvs.entries (
    key         text COLLATE "C" NOT NULL,
    value       jsonb,
    version     bigint NOT NULL,
    type        text NOT NULL,
    bytes       bytea,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    modified_by text,
    comment     text,
    tags        text[],
    schema_hash text
) SERVER kvs;
COMMENT ON FOREIGN TABLE kvs.entries IS
'Entries of the session''s branch (kvs.branch), or as of the session''s moment (kvs.as_of). Equality, ranges and prefixes
of key, the order by key and LIMIT are pushed down. FOR UPDATE and its like are refused: lock with kvs.lock(). Its privileges are those of the whole store; those on single columns do not
count.
Example: GRANT SELECT ON kvs.entries TO reporting;
         SELECT key, value->>''name'' FROM kvs.entries WHERE key LIKE ''user:%'' ORDER BY key LIMIT 10;';


/* ---------------------------------------------------------------------------------------------------------
 * 3. Entries
 * ------------------------------------------------------------------------------------------------------ */

CREATE TYPE kvs.entry AS (
    key         text COLLATE "C",
    value       jsonb,
    version     bigint,
    type        text,
    bytes       bytea,
    created_at  timestamptz,
    updated_at  timestamptz,
    expires_at  timestamptz,
    modified_by text,
    comment     text,
    tags        text[],
    schema_hash text
);
COMMENT ON TYPE kvs.entry IS
'A key with its value and metadata. type: json (value is set) or bytes (bytes is set). version: 1 at the first write of the
key on the branch, one more at each further one, also after delete and re-creation.';

CREATE TYPE kvs.revision AS (
    version     bigint,
    op          text,
    value       jsonb,
    bytes       bytea,
    modified_by text,
    comment     text,
    at          timestamptz,
    schema_hash text,
    log_id      uuid,
    seq         bigint,
    origin      text,
    traceparent text
);
COMMENT ON TYPE kvs.revision IS
'One version of a key. op: set, patch, delete, expire, merge, revert, reset, restore, import.
(log_id, seq) identifies the change. origin: what made the version (kvs.origin); traceparent: the trace it belongs to
(kvs.traceparent), as long as the change log has it.';

-- Point reads and writes

CREATE FUNCTION kvs.put(
    key text, value jsonb, expected_version bigint DEFAULT NULL, ttl interval DEFAULT NULL,
    tags text[] DEFAULT NULL, comment text DEFAULT NULL, modified_by text DEFAULT NULL,
    schema_hash text DEFAULT NULL, branch text DEFAULT NULL
) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_put';
COMMENT ON FUNCTION kvs.put IS
'Writes a document and returns its new version.
Arguments: key, at most 2048 bytes; value, any JSON, also ''null''::jsonb; expected_version, 0: must not exist, n: must be at
version n; ttl, time to live, without it an expiry is cleared; tags and schema_hash, without them those of the entry stay;
comment, of this version; modified_by, default kvs.author or the session user; branch.
Errors: KV001 stale expected_version, 22004 NULL key or value, 22023 malformed or too long key,
54000 value or metadata too large, 25006, 40001.
Example: SELECT kvs.put(''user:1'', ''{"name": "Ada"}'', expected_version => 0, ttl => ''1 day'');';

CREATE FUNCTION kvs.put_entry(
    key text, value jsonb, expected_version bigint DEFAULT NULL, ttl interval DEFAULT NULL,
    tags text[] DEFAULT NULL, comment text DEFAULT NULL, modified_by text DEFAULT NULL,
    schema_hash text DEFAULT NULL, branch text DEFAULT NULL
) RETURNS kvs.entry
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_put_entry';
COMMENT ON FUNCTION kvs.put_entry IS
'Writes a document like kvs.put and returns the whole entry.
Arguments and errors: those of kvs.put.
Example: SELECT version, updated_at FROM kvs.put_entry(''user:1'', ''{"name": "Ada"}'', tags => ''{admin}'');';

CREATE FUNCTION kvs.get(key text, branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'kvs_get';
COMMENT ON FUNCTION kvs.get IS
'The document of a key; NULL if the key is absent or expired.
Arguments: key; branch; as_of, any ref.
Errors: 42804 the key holds bytes (use kvs.get_bytes), 22023 malformed key, 42704 unknown branch or ref.
Example: SELECT kvs.get(''user:1'')->>''name'', kvs.get(''user:1'', as_of => ''HEAD~1'');';

CREATE FUNCTION kvs.get_entry(key text, branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS SETOF kvs.entry
LANGUAGE C STABLE PARALLEL SAFE COST 20 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_get_entry';
COMMENT ON FUNCTION kvs.get_entry IS
'The entry of a key with its metadata; no row if the key is absent or expired.
Arguments: key; branch; as_of, any ref.
Errors: 22023 malformed key, 42704 unknown branch or ref.
Example: SELECT version, updated_at, modified_by FROM kvs.get_entry(''user:1'');';

CREATE FUNCTION kvs.exists(key text, branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'kvs_exists';
COMMENT ON FUNCTION kvs.exists IS
'Whether a key is present and not expired.
Arguments: key; branch; as_of, any ref.
Errors: 22023 malformed key, 42704 unknown branch or ref.
Example: SELECT kvs.exists(''user:1'');';

CREATE FUNCTION kvs.delete(
    key text, expected_version bigint DEFAULT NULL, comment text DEFAULT NULL, modified_by text DEFAULT NULL,
    branch text DEFAULT NULL
) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_delete';
COMMENT ON FUNCTION kvs.delete IS
'Deletes a key; false when it is absent. The deletion takes a version of its own.
Arguments: key; expected_version, the version that it must be at; comment; modified_by; branch.
Errors: KV001 stale expected_version, 22004 NULL key, 22023 malformed key, 25006, 40001.
Example: SELECT kvs.delete(''user:1'', expected_version => 3);';

CREATE FUNCTION kvs.patch(
    key text, delta jsonb, expected_version bigint DEFAULT NULL, comment text DEFAULT NULL,
    modified_by text DEFAULT NULL, branch text DEFAULT NULL
) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_patch';
COMMENT ON FUNCTION kvs.patch IS
'Merges delta into a document (RFC 7396) and returns the new version: objects merge recursively, null removes a member,
anything else replaces. An absent key counts as {}. The expiry stays.
Arguments: key; delta; expected_version, as in kvs.put; comment; modified_by; branch.
Errors: KV001 stale expected_version, 42804 the key holds bytes, 22004 NULL key or delta,
22023 malformed key, 54000 too large, 25006, 40001.
Example: SELECT kvs.patch(''user:1'', ''{"email": "ada@example.org", "phone": null}'');';

CREATE FUNCTION kvs.json_patch(
    key text, operations jsonb, expected_version bigint DEFAULT NULL, comment text DEFAULT NULL,
    modified_by text DEFAULT NULL, branch text DEFAULT NULL
) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_json_patch';
COMMENT ON FUNCTION kvs.json_patch IS
'Applies a JSON Patch (RFC 6902), all of it or nothing, and returns the new version. The expiry stays.
Arguments: key; operations, an array of add, remove, replace, move, copy, test; expected_version; comment; modified_by; branch.
Errors: P0002 absent key, 22023 malformed patch or a path that is not there, 55000 a test that fails, KV001 stale expected_version,
42804 the key holds bytes, 22004 NULL key or operations, 54000 too large, 25006, 40001.
Example: SELECT kvs.json_patch(''user:1'', ''[{"op": "add", "path": "/roles/-", "value": "admin"}]'');';

CREATE FUNCTION kvs.increment(
    key text, delta numeric DEFAULT 1, path text DEFAULT NULL, branch text DEFAULT NULL
) RETURNS numeric
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_increment';
COMMENT ON FUNCTION kvs.increment IS
'Adds delta to a number and returns the sum, exact in every digit. An absent key or member counts as 0.
Arguments: key; delta; path, a JSON pointer (RFC 6901) to the number inside the document,
NULL: the document is the number; branch.
Errors: 42804 what is there is not a number, 22023 malformed key or path, 22004 NULL key or delta, 25006, 40001.
Example: SELECT kvs.increment(''hits''), kvs.increment(''user:1'', -2.5, ''/balance'');';

CREATE FUNCTION kvs.cas(key text, expected_version bigint, value jsonb, branch text DEFAULT NULL) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_cas';
COMMENT ON FUNCTION kvs.cas IS
'Compare and set: writes if the key is at expected_version; false, instead of an error, if it is not. The expiry stays.
Arguments: key; expected_version, 0: must not exist; value; branch.
Errors: 22004 NULL key, expected_version or value, 22023 malformed key, 54000 too large, 25006, 40001.
Example: SELECT kvs.cas(''lease'', 7, ''{"owner": "worker-3"}'');';

CREATE FUNCTION kvs.touch(key text, ttl interval, branch text DEFAULT NULL) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_touch';
COMMENT ON FUNCTION kvs.touch IS
'Gives an entry a new expiry, counted from now; false when the key is absent.
Arguments: key; ttl, NULL: never expires; branch.
Errors: 22004 NULL key, 22023 malformed key or a ttl that is not positive, 25006, 40001.
Example: SELECT kvs.touch(''session:9f2'', ''30 minutes'');';

CREATE FUNCTION kvs.put_bytes(
    key text, bytes bytea, expected_version bigint DEFAULT NULL, ttl interval DEFAULT NULL,
    tags text[] DEFAULT NULL, comment text DEFAULT NULL, modified_by text DEFAULT NULL,
    schema_hash text DEFAULT NULL, branch text DEFAULT NULL
) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_put_bytes';
COMMENT ON FUNCTION kvs.put_bytes IS
'Writes bytes that are not JSON and returns the new version.
Arguments and errors: those of kvs.put.
Example: SELECT kvs.put_bytes(''avatar:1'', ''\x89504e47'');';

CREATE FUNCTION kvs.get_bytes(key text, branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS bytea
LANGUAGE C STABLE PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'kvs_get_bytes';
COMMENT ON FUNCTION kvs.get_bytes IS
'The bytes of a key; NULL if the key is absent or expired.
Arguments: key; branch; as_of, any ref.
Errors: 42804 the key holds a document (use kvs.get), 22023 malformed key, 42704 unknown branch or ref.
Example: SELECT kvs.get_bytes(''avatar:1'');';

-- Many keys at once

CREATE FUNCTION _kvs.mget(keys text[], branch text, as_of text) RETURNS SETOF kvs.entry
LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_mget';
COMMENT ON FUNCTION _kvs.mget IS 'Rows of kvs.mget, one per call.';

CREATE FUNCTION kvs.mget(keys text[], branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS SETOF kvs.entry
LANGUAGE SQL STABLE PARALLEL SAFE COST 100 ROWS 100
BEGIN ATOMIC
    SELECT (r.entry).* FROM (SELECT _kvs.mget(keys, branch, as_of) AS entry OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.mget IS
'Reads many keys: one row per asked key, in the order asked, NULLs beside an absent key.
Arguments: keys; branch; as_of, any ref.
Errors: 22004 NULL among the keys, 22023 malformed key, 42704 unknown branch or ref.
Example: SELECT key, value FROM kvs.mget(ARRAY[''user:1'', ''user:2'']);';

CREATE FUNCTION kvs.mput(keys text[], vals jsonb[], branch text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_mput';
COMMENT ON FUNCTION kvs.mput IS
'Writes many documents and returns how many were written. A key given twice: the last one wins.
Arguments: keys; vals, as many; branch.
Errors: 22023 arrays of different length or a malformed key, 22004 NULL among keys or vals, 54000 too large, 25006, 40001.
Example: SELECT kvs.mput(ARRAY[''user:1'', ''user:2''], ARRAY[''{"name": "Ada"}'', ''{"name": "Bob"}'']::jsonb[]);';

CREATE FUNCTION kvs.apply(operations jsonb, branch text DEFAULT NULL, atomic boolean DEFAULT true) RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_apply';
COMMENT ON FUNCTION kvs.apply IS
'Runs many operations in one call and returns an array with an answer to each, in their order. An operation is an object
with op, key, and what the function of that name takes: get; put (value, expected_version, ttl, tags, comment,
modified_by, schema_hash); put_bytes (bytes, as ''''\x00ff'''', and as put); cas (value, expected_version); patch (delta), json_patch
(operations), each with expected_version, comment, modified_by; increment (delta, path); touch (ttl); delete
(expected_version, comment, modified_by). An answer has status, and version, value or bytes where there are such:
ok; absent, also where a delete or touch finds nothing; stale_version; wrong_type; refused; each of the last three with a message.
Operations on one key run in their order, each finding what the one before has left; with others nothing is promised.
atomic: if one is refused nothing is done, and the others have the status not_applied; else each stands for itself.
Only get: reads as kvs.get() does, also where nothing may be written.
Arguments: operations; branch; atomic.
Errors: 22023 a malformed operation, named by its number, 54000 too many (there may be ten thousand), 22004, 42704, 42501, 25006, 40001.
Example: SELECT kvs.apply(''[{"op": "put", "key": "user:1", "value": {"name": "Ada"}}, {"op": "increment", "key": "users"}]'');';

CREATE FUNCTION _kvs.scan(
    prefix text, start_key text, end_key text, max_rows bigint, reverse boolean, branch text, as_of text
) RETURNS SETOF kvs.entry
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 1000
AS 'MODULE_PATHNAME', 'kvs_scan';
COMMENT ON FUNCTION _kvs.scan IS 'Rows of kvs.scan, one per call.';

CREATE FUNCTION kvs.scan(
    prefix text DEFAULT '', start_key text DEFAULT NULL, end_key text DEFAULT NULL, max_rows bigint DEFAULT NULL,
    reverse boolean DEFAULT false, branch text DEFAULT NULL, as_of text DEFAULT NULL
) RETURNS SETOF kvs.entry
LANGUAGE SQL STABLE PARALLEL SAFE COST 1000 ROWS 1000
BEGIN ATOMIC
    SELECT (r.entry).*
    FROM (SELECT _kvs.scan(prefix, start_key, end_key, max_rows, reverse, branch, as_of) AS entry OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.scan IS
'Entries in the order of their keys, as bytes. Rows stream: LIMIT and max_rows read only what they return.
Arguments: prefix, of the key; start_key, inclusive; end_key, exclusive; max_rows; reverse, from the last to the first;
branch; as_of, any ref.
Errors: 22023 negative max_rows, 42704 unknown branch or ref.
Example: SELECT key, value FROM kvs.scan(''user:'', start_key => ''user:5'') LIMIT 20;';

CREATE FUNCTION _kvs.keys(pattern text, branch text, as_of text) RETURNS SETOF text
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 1000
AS 'MODULE_PATHNAME', 'kvs_keys';
COMMENT ON FUNCTION _kvs.keys IS 'Rows of kvs.keys, one per call.';

CREATE FUNCTION kvs.keys(pattern text DEFAULT '#', branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS SETOF text
LANGUAGE SQL STABLE PARALLEL SAFE COST 1000 ROWS 1000
BEGIN ATOMIC
    SELECT _kvs.keys(pattern, branch, as_of);
END;
COMMENT ON FUNCTION kvs.keys IS
'Keys that match a pattern, in order. Levels are what stands between / and :; + is one level, # the rest and the parent,
{name} one level, a last * any suffix.
Arguments: pattern; branch; as_of, any ref.
Errors: 22023 malformed pattern, 42704 unknown branch or ref.
Example: SELECT * FROM kvs.keys(''user:+'');';

CREATE FUNCTION _kvs.find(pattern text, branch text, as_of text) RETURNS SETOF kvs.entry
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 1000
AS 'MODULE_PATHNAME', 'kvs_find';
COMMENT ON FUNCTION _kvs.find IS 'Rows of kvs.find, one per call.';

CREATE FUNCTION kvs.find(pattern text, branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS SETOF kvs.entry
LANGUAGE SQL STABLE PARALLEL SAFE COST 1000 ROWS 1000
BEGIN ATOMIC
    SELECT (r.entry).* FROM (SELECT _kvs.find(pattern, branch, as_of) AS entry OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.find IS
'Entries whose keys match a pattern (see kvs.keys), in the order of the keys.
Arguments: pattern; branch; as_of, any ref.
Errors: 22023 malformed pattern, 42704 unknown branch or ref.
Example: SELECT key, value FROM kvs.find(''orders/+/open:#'');';

CREATE FUNCTION kvs.count_keys(prefix text DEFAULT '', branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS bigint
LANGUAGE C STABLE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_count_keys';
COMMENT ON FUNCTION kvs.count_keys IS
'How many living keys begin with prefix; walks them.
Arguments: prefix; branch; as_of, any ref.
Errors: 42704 unknown branch or ref.
Example: SELECT kvs.count_keys(''user:'');';

CREATE FUNCTION kvs.delete_prefix(prefix text, branch text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_delete_prefix';
COMMENT ON FUNCTION kvs.delete_prefix IS
'Deletes every key that begins with prefix and returns how many.
Arguments: prefix, '''' for all; branch.
Errors: 22004 NULL prefix, 25006, 40001.
Example: SELECT kvs.delete_prefix(''session:'');';

-- History of one key

CREATE FUNCTION _kvs.history(key text, max_rows bigint, branch text) RETURNS SETOF kvs.revision
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_history';
COMMENT ON FUNCTION _kvs.history IS 'Rows of kvs.history, one per call.';

CREATE FUNCTION kvs.history(key text, max_rows bigint DEFAULT NULL, branch text DEFAULT NULL) RETURNS SETOF kvs.revision
LANGUAGE SQL STABLE PARALLEL SAFE COST 1000 ROWS 100
BEGIN ATOMIC
    SELECT (r.revision).* FROM (SELECT _kvs.history(key, max_rows, branch) AS revision OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.history IS
'Every version of a key, newest first, down to version 1; deletions are versions too. Where the change log does not reach,
because kvs.change_retention or a restore has cut it, the versions that commits have.
Arguments: key; max_rows; branch.
Errors: 22023 malformed key or negative max_rows, 42704 unknown branch.
Example: SELECT version, op, value, modified_by, at FROM kvs.history(''user:1'') LIMIT 5;';

CREATE FUNCTION kvs.get_version(key text, version bigint, branch text DEFAULT NULL) RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_get_version';
COMMENT ON FUNCTION kvs.get_version IS
'The document of a key at one of its versions; NULL where that version is a deletion or does not exist.
Arguments: key; version, from 1; branch.
Errors: 42804 that version holds bytes, 55000 it is not kept any more (see kvs.change_retention), 22023 malformed key,
42704 unknown branch.
Example: SELECT kvs.get_version(''user:1'', 2);';

CREATE FUNCTION kvs.restore(pattern text, ref text, branch text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_restore';
COMMENT ON FUNCTION kvs.restore IS
'Puts the keys that match pattern back to what they were at ref, as new versions, and returns how many changed.
Arguments: pattern (see kvs.keys); ref; branch, the one to change.
Errors: 22004 NULL pattern or ref, 22023 malformed pattern, 42704 unknown branch or ref, 25006, 40001.
Example: SELECT kvs.restore(''user:#'', ''HEAD~3'');';

-- Bulk

CREATE FUNCTION kvs.import(query text, branch text DEFAULT NULL, message text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000
AS 'MODULE_PATHNAME', 'kvs_import';
COMMENT ON FUNCTION kvs.import IS
'Runs a query, as the caller, and writes its rows straight into the tree of the branch; returns how many.
Arguments: query, yields (key text, value jsonb) in any order; branch; message, commits the result with it when given: a
NOTICE says so where nothing has changed.
Errors: 21000 a key that the query yields twice, 42804 other columns, 22004 NULL key or value, 22023 malformed key, empty message,
or not a single statement that returns rows, 54000 too large, 25006, 40001.
Example: SELECT kvs.import(''SELECT ''''user:'''' || id, to_jsonb(u) FROM users u'', message => ''users of the old system'');';

-- Keys, payloads, locks

CREATE FUNCTION kvs.serialize_key(namespace text[], key text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'kvs_serialize_key';
COMMENT ON FUNCTION kvs.serialize_key IS
'The serialised form of a key in a namespace: segments joined by /, then : and the key; /, : and % in segments are escaped.
Arguments: namespace, its segments, may be empty; key.
Errors: 22023 empty segment or key, or a key longer than 2048 bytes.
Example: SELECT kvs.serialize_key(ARRAY[''users'', ''active''], ''123'');  -- users/active:123';

CREATE FUNCTION kvs.parse_key(serialized text, OUT namespace text[], OUT key text)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'kvs_parse_key';
COMMENT ON FUNCTION kvs.parse_key IS
'The namespace and the key of a serialised key; the inverse of kvs.serialize_key.
Arguments: serialized.
Errors: 22023 malformed key.
Example: SELECT namespace, key FROM kvs.parse_key(''users/active:123'');  -- {users,active} | 123';

CREATE FUNCTION kvs.data_hash(value jsonb) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50
AS 'MODULE_PATHNAME', 'kvs_data_hash';
COMMENT ON FUNCTION kvs.data_hash IS
'Hexadecimal SHA-256 of the canonical form of a document (RFC 8785 order and escapes, numbers as exact plain decimals).
Arguments: value.
Errors: 54000 a number whose plain form is absurdly long.
Example: SELECT kvs.data_hash(''{"b": 1, "a": 2.0}'') = kvs.data_hash(''{"a": 2, "b": 1.0}'');  -- true';

CREATE FUNCTION kvs.create_payload(mapping jsonb, branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_create_payload';
COMMENT ON FUNCTION kvs.create_payload IS
'Assembles one object from several documents; null where a key or a path is absent.
Arguments: mapping, {"field": "key"} or {"field": {"key": ..., "namespace": [...], "path": "/json/pointer"}};
branch; as_of, any ref.
Errors: 22023 malformed mapping or key, 22004 NULL mapping, 42804 a key that holds bytes, 42704 unknown branch or ref.
Example: SELECT kvs.create_payload(''{"user": "user:1", "city": {"key": "1", "namespace": ["address"], "path": "/city"}}'');';

CREATE FUNCTION kvs.lock(pattern text, branch text DEFAULT NULL) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_lock';
COMMENT ON FUNCTION kvs.lock IS
'Takes the lock of a namespace until the end of the transaction; waits for whoever holds it.
Arguments: pattern (see kvs.keys); branch.
Errors: 22004 NULL pattern, 22023 malformed pattern, 55P03 lock_timeout, 40P01 deadlock, 25006.
Example: BEGIN; SELECT kvs.lock(''orders/eu:#''); SELECT kvs.patch(''orders/eu:1'', ''{"paid": true}''); COMMIT;';


/* ---------------------------------------------------------------------------------------------------------
 * 4. Version control
 * ------------------------------------------------------------------------------------------------------ */

CREATE TYPE kvs.commit_info AS (
    hash         text,
    parents      text[],
    root         text,
    author       text,
    message      text,
    committed_at timestamptz
);
COMMENT ON TYPE kvs.commit_info IS 'A commit. root: hash of its data tree, equal for equal contents wherever they were written.';

CREATE TYPE kvs.merge_result AS (
    commit       text,
    fast_forward boolean,
    merged       bigint,
    conflicts    bigint
);
COMMENT ON TYPE kvs.merge_result IS
'What a merge did: commit, the branch''s new head (NULL: nothing was committed); merged, how many keys it changed; conflicts that
are left, with which nothing was applied';

CREATE TYPE kvs.conflict AS (
    key    text COLLATE "C",
    path   text,
    base   jsonb,
    ours   jsonb,
    theirs jsonb,
    reason text
);
COMMENT ON TYPE kvs.conflict IS
'What both sides of a merge changed: path is a JSON pointer into the document, empty for all of it; base, ours and theirs are NULL where there is nothing;
bytes stand as a string, \x and hexadecimal digits; reason is modify/modify, add/add, modify/delete, delete/modify, type, array, or
size (what both sides made of the document is together too large for a value)';

CREATE TYPE kvs.diff_row AS (
    key          text COLLATE "C",
    diff_type    text,
    from_value   jsonb,
    to_value     jsonb,
    from_version bigint,
    to_version   bigint
);
COMMENT ON TYPE kvs.diff_row IS
'A key that differs. diff_type: added, modified, removed, or metadata (only tags, expiry or schema differ).
from_value and to_value: bytes stand as a string, \x and hexadecimal digits, as in kvs.conflict.';

-- Commits

CREATE FUNCTION kvs.commit(message text, author text DEFAULT NULL, branch text DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_commit';
COMMENT ON FUNCTION kvs.commit IS
'Commits the working state of a branch and returns the hash; NULL and a NOTICE when nothing changed. It runs beside writers:
what they have not committed stays uncommitted work.
Arguments: message; author, default kvs.author or the session user; branch.
Errors: 22004 NULL message, 22023 empty message, 40001 the branch moved (above READ COMMITTED), 42704 unknown branch, 25006.
Example: SELECT kvs.commit(''prices of May'', author => ''Ada <ada@example.org>'');';

CREATE FUNCTION kvs.flush(branch text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_flush';
COMMENT ON FUNCTION kvs.flush IS
'Folds the working rows of a branch into its working tree, without a commit, and returns how many rows it folded.
Nothing that can be read changes. See view kvs.snapshots.
Arguments: branch.
Errors: 40001 the branch moved (above READ COMMITTED), 42704 unknown branch, 25006.
Example: SELECT kvs.flush();';

CREATE VIEW kvs.snapshots WITH (security_barrier) AS
SELECT b.name AS branch, encode(b.working_data_root, 'hex') AS root, b.flushed_seq AS pos, b.flushed_rows AS rows,
       b.flushed_at AS at
FROM _kvs.branch AS b
WHERE b.flushed_at IS NOT NULL AND _kvs.guard_read();
COMMENT ON VIEW kvs.snapshots IS
'The last flush of each branch: root of its working tree, pos of the last change in it, how many rows it folded, when.
Example: SELECT branch, root FROM kvs.snapshots;';

CREATE FUNCTION _kvs.status(branch text) RETURNS SETOF kvs.diff_row
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_status';
COMMENT ON FUNCTION _kvs.status IS 'Rows of kvs.status, one per call.';

CREATE FUNCTION kvs.status(branch text DEFAULT NULL) RETURNS SETOF kvs.diff_row
LANGUAGE SQL STABLE PARALLEL SAFE COST 1000 ROWS 100
BEGIN ATOMIC
    SELECT (r.diff).* FROM (SELECT _kvs.status(branch) AS diff OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.status IS
'What differs between HEAD and WORKING, in the order of the keys, without values. An entry whose time is over reads as absent; a
commit takes it along all the same.
Arguments: branch.
Errors: 42704 unknown branch.
Example: SELECT key, diff_type FROM kvs.status();';

CREATE FUNCTION _kvs.log(ref text, max_rows bigint, pattern text, author text, since timestamptz)
RETURNS SETOF kvs.commit_info
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_log';
COMMENT ON FUNCTION _kvs.log IS 'Rows of kvs.log, one per call.';

CREATE FUNCTION kvs.log(
    ref text DEFAULT NULL, max_rows bigint DEFAULT NULL, pattern text DEFAULT NULL, author text DEFAULT NULL,
    since timestamptz DEFAULT NULL
) RETURNS SETOF kvs.commit_info
LANGUAGE SQL STABLE PARALLEL SAFE COST 1000 ROWS 100
BEGIN ATOMIC
    SELECT (r.info).* FROM (SELECT _kvs.log(ref, max_rows, pattern, author, since) AS info OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.log IS
'Commits that a ref can reach, newest first.
Arguments: ref, default the session''s branch or kvs.as_of; max_rows; pattern (see kvs.keys), only commits that changed a
matching key; a merge is one of them only if it differs there from every parent, and the commits of all its sides are looked
at; author, only that author''s, by the exact name; since, only commits from then on: the search ends with 100 older ones in a
row.
Errors: 42704 unknown ref, 22023 malformed pattern or negative max_rows.
Example: SELECT hash, message FROM kvs.log(''main'', pattern => ''user:#'') LIMIT 10;';

CREATE FUNCTION _kvs.show(ref text) RETURNS SETOF kvs.diff_row
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_show';
COMMENT ON FUNCTION _kvs.show IS 'Rows of kvs.show, one per call.';

CREATE FUNCTION kvs.show(ref text) RETURNS SETOF kvs.diff_row
LANGUAGE SQL STABLE PARALLEL SAFE COST 1000 ROWS 100
BEGIN ATOMIC
    SELECT (r.diff).* FROM (SELECT _kvs.show(ref) AS diff OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.show IS
'What a commit changed: the commit against its first parent, in the order of the keys.
Arguments: ref.
Errors: 42704 unknown ref, 22004 NULL ref.
Example: SELECT * FROM kvs.show(''HEAD'');';

CREATE FUNCTION _kvs.diff(from_ref text, to_ref text, pattern text) RETURNS SETOF kvs.diff_row
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_diff';
COMMENT ON FUNCTION _kvs.diff IS 'Rows of kvs.diff, one per call.';

CREATE FUNCTION kvs.diff(from_ref text DEFAULT 'HEAD', to_ref text DEFAULT 'WORKING', pattern text DEFAULT NULL)
RETURNS SETOF kvs.diff_row
LANGUAGE SQL STABLE PARALLEL SAFE COST 1000 ROWS 100
BEGIN ATOMIC
    SELECT (r.diff).* FROM (SELECT _kvs.diff(from_ref, to_ref, pattern) AS diff OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.diff IS
'What differs between two states, in the order of the keys. It costs as much as differs, and rows stream. Expiry
is judged at the moment of each state: a commit was made then, WORKING is read now. What is stored alike in both is no
difference, also where it expired in between.
Arguments: from_ref; to_ref; pattern (see kvs.keys), only matching keys.
Errors: 42704 unknown ref, 22023 malformed pattern.
Example: SELECT key, diff_type, from_value, to_value FROM kvs.diff(''main'', ''feature'', ''user:#'');';

CREATE FUNCTION kvs.diff_stat(from_ref text DEFAULT 'HEAD', to_ref text DEFAULT 'WORKING')
RETURNS TABLE (added bigint, modified bigint, removed bigint)
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_diff_stat';
COMMENT ON FUNCTION kvs.diff_stat IS
'How many keys were added, modified and removed between two states. Keys of which only tags, expiry or schema differ are not
counted.
Arguments: from_ref; to_ref.
Errors: 42704 unknown ref.
Example: SELECT * FROM kvs.diff_stat(''HEAD~1'', ''HEAD'');';

CREATE TYPE kvs.blame_row AS (
    key          text COLLATE "C",
    commit       text,
    author       text,
    committed_at timestamptz,
    message      text,
    version      bigint
);
COMMENT ON TYPE kvs.blame_row IS
'A living key and the commit that last changed its value. commit, author, committed_at and message are NULL where that change
is not committed. version: the one that the key got with this value.';

CREATE FUNCTION _kvs.blame(pattern text, ref text) RETURNS SETOF kvs.blame_row
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 1000
AS 'MODULE_PATHNAME', 'kvs_blame';
COMMENT ON FUNCTION _kvs.blame IS 'Rows of kvs.blame, one per call.';

CREATE FUNCTION kvs.blame(pattern text DEFAULT '#', ref text DEFAULT NULL) RETURNS SETOF kvs.blame_row
LANGUAGE SQL STABLE PARALLEL SAFE COST 10000 ROWS 1000
BEGIN ATOMIC
    SELECT (r.blame).* FROM (SELECT _kvs.blame(pattern, ref) AS blame OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.blame IS
'The living keys of a ref in their order, each with the commit that last changed its value and the version it got then. Tags,
expiry and writing the same value again are no changes of the value; at a merge a key is followed to the first parent that has
the same value. One key costs a few tree nodes for each commit back to the one that changed it, all keys together the changes
of the history. Rows stream.
Arguments: pattern (see kvs.keys); ref, default the session''s branch or kvs.as_of; with WORKING the keys whose value is not
committed have no commit.
Errors: 42704 unknown ref, 22023 malformed pattern.
Example: SELECT key, author, message FROM kvs.blame(''user:#'', ''v1.0'');';

-- Hooks

CREATE FUNCTION kvs.add_hook(name text, event text, function regprocedure, pattern text DEFAULT '#') RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_add_hook';
COMMENT ON FUNCTION kvs.add_hook IS
'Has a function called with every commit, whoever makes it, that changes a matching key; and true. It takes one jsonb and runs
as the role that calls add_hook, which needs all privileges on kvs.entries: in a security-restricted operation, with
search_path = pg_catalog, pg_temp and kvs.branch set to the branch of the commit. Not everybody may call this: GRANT EXECUTE.
Hooks are called in the order of their names, in the transaction of the commit, after the branch has moved: HEAD is the commit
already, and an error undoes it. A hook may write keys, which stay uncommitted, but not flush, commit or move a branch (55000).
The jsonb: branch, commit, parent, parents, root, author, message, committed_at, pattern; and for pre_commit truncated and
changes, an array of objects with the columns of kvs.diff_row. With more changes than kvs.hook_max_changes, or 8 MB of
documents, truncated is true and there is no changes; kvs.diff(parent, commit, pattern) streams them whatever their number.
The function must belong to the role that calls add_hook, to a member of it or to a superuser, because whoever owns a function
may replace it. Function and roles are kept by name: a pre_commit hook refuses the commits that it matches when the function is
gone (42883), has another owner or its owner lost those privileges (42501), or the role is gone or has another name (42704); for
a post_commit hook that is a warning.
Arguments: name; event, pre_commit: an error of the function prevents the commit, and so does false from a function that
returns boolean (23514; NULL does not), post_commit: its error undoes only what the function did and is a warning; function;
pattern (see kvs.keys), only commits that change a matching key, and only those changes.
Errors: 42710 the name is taken, 22023 unknown event, malformed name or pattern, 42883 no such function, 42P17 a function that
does not take one jsonb, 42501 no right to execute it, or it belongs to somebody else, 22004 NULL argument, 25006.
Example: CREATE FUNCTION public.check_prices(changes jsonb) RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
             IF EXISTS (SELECT FROM kvs.diff(changes->>''parent'', changes->>''commit'', changes->>''pattern'')
                        WHERE (to_value->>''price'')::numeric < 0) THEN
                 RAISE EXCEPTION ''a price is negative'';
             END IF;
         END $$;
         SELECT kvs.add_hook(''prices'', ''pre_commit'', ''public.check_prices(jsonb)'', ''item:#'');';
REVOKE EXECUTE ON FUNCTION kvs.add_hook FROM PUBLIC;

CREATE FUNCTION kvs.drop_hook(name text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_drop_hook';
COMMENT ON FUNCTION kvs.drop_hook IS
'Removes a hook; false if there is none of that name. Who created it may, who has that role''s privileges, and the owner of the
extension: also when the role is gone and the hook fails for that.
Arguments: name.
Errors: 42501 it was created by somebody else, 22004 NULL name, 25006.
Example: SELECT kvs.drop_hook(''prices'');';

CREATE VIEW kvs.hooks WITH (security_barrier) AS
SELECT h.name, h.event, h.function, h.pattern, h.creator, h.created_at, h.function_owner
FROM _kvs.hook AS h
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.hooks IS
'Functions that are called with commits, and as whom they run: creator. function_owner: the role that the function must belong
to, for it belonged to it when the hook was added.
Example: SELECT name, event, function, pattern FROM kvs.hooks ORDER BY event DESC, name;';

-- Branches

CREATE FUNCTION kvs.create_branch(name text, from_ref text DEFAULT 'HEAD') RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_create_branch';
COMMENT ON FUNCTION kvs.create_branch IS
'Creates a branch and returns its name. It costs the same however much the store holds.
Arguments: name; from_ref, where it begins; WORKING: with the uncommitted work of the session''s branch.
Errors: 42710 a branch or tag of that name exists, 22023 malformed name, 42704 unknown ref, 22004 NULL name, 25006.
Example: SELECT kvs.create_branch(''feature'', ''v1.0'');';

CREATE FUNCTION kvs.delete_branch(name text, force boolean DEFAULT false) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_delete_branch';
COMMENT ON FUNCTION kvs.delete_branch IS
'Deletes a branch, and true. Its moves stay in kvs.reflog, and so does what it had alone: kvs.create_branch(name, hash) of a
commit there brings it back. Uncommitted work is kept as a commit of its own (operation save).
Arguments: name; force, also with uncommitted work or commits that no other branch or tag has.
Errors: 42704 unknown branch, 55000 unmerged or uncommitted work, or the session''s own branch, 25006.
Example: SELECT kvs.delete_branch(''feature'');';

CREATE FUNCTION kvs.rename_branch(name text, new_name text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_rename_branch';
COMMENT ON FUNCTION kvs.rename_branch IS
'Renames a branch, with its uncommitted work, and true; also where it has that name already.
Arguments: name; new_name.
Errors: 42704 unknown branch, 42710 new_name is taken, 22023 malformed name, 25006.
Example: SELECT kvs.rename_branch(''feature'', ''feature/search'');';

CREATE FUNCTION kvs.set_branch_option(branch text, option text, setting text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_set_branch_option';
COMMENT ON FUNCTION kvs.set_branch_option IS
'Sets an option of a branch, once its writers have ended; false if it has that setting already. It stays with the branch when
that is renamed; a new branch has none, wherever it begins. The view kvs.branches shows it.
Arguments: branch; option, autocommit: when uncommitted work becomes a commit by itself; setting: off, the default; transaction,
each transaction that changes the branch is a commit, made when it commits, whose message is the comments of its changes, or
autocommit; or an interval, 1 second to 366 days, at whose multiples the maintenance worker commits what there is.
Errors: 22023 unknown option or invalid setting, 42704 unknown branch, 55P03 the branch is busy, 22004 NULL, 25006.
Example: SELECT kvs.set_branch_option(''main'', ''autocommit'', ''transaction'');';

CREATE FUNCTION kvs.switch_branch(name text) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'kvs_switch_branch';
COMMENT ON FUNCTION kvs.switch_branch IS
'Makes a branch the session''s (sets kvs.branch) and returns its name. Uncommitted work stays with its branch.
Arguments: name.
Errors: 42704 unknown branch, 22004 NULL name.
Example: SELECT kvs.switch_branch(''feature'');';

CREATE FUNCTION kvs.current_branch() RETURNS text
LANGUAGE C STABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'kvs_current_branch';
COMMENT ON FUNCTION kvs.current_branch IS
'Name of the session''s branch.
Example: SELECT kvs.current_branch();';

-- In the order of the names, by their index, and nothing is looked up before a row is wanted: so the first page costs the
-- same however many branches there are.
CREATE VIEW kvs.branches WITH (security_barrier) AS
SELECT b.name, encode(b.head, 'hex') AS head,
       coalesce((SELECT c.message FROM _kvs.commit AS c WHERE c.hash = b.head), 'initial commit') AS message,
       coalesce((SELECT c.committed_at FROM _kvs.commit AS c WHERE c.hash = b.head), to_timestamp(0)) AS committed_at,
       _kvs.working_changes(b.id) AS working_changes,
       CASE WHEN b.autocommit = 0 THEN 'transaction' ELSE coalesce((b.autocommit * interval '1 microsecond')::text, 'off') END AS autocommit
FROM (SELECT u.id, u.name, u.head, u.autocommit
      FROM (SELECT id, name, head, autocommit FROM _kvs.branch
            UNION ALL
            SELECT 1, 'main', _kvs.initial_commit(), NULL WHERE NOT EXISTS (SELECT FROM _kvs.branch)) AS u
      ORDER BY u.name) AS b
WHERE _kvs.guard_read()
ORDER BY b.name;
COMMENT ON VIEW kvs.branches IS
'Branches: the commit that each stands on, how many keys differ from it in the branch''s uncommitted work, and when that becomes a
commit by itself (kvs.set_branch_option).
Example: SELECT name, message, working_changes FROM kvs.branches ORDER BY name;';

-- Tags, refs

CREATE FUNCTION kvs.create_tag(name text, ref text DEFAULT 'HEAD', message text DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_create_tag';
COMMENT ON FUNCTION kvs.create_tag IS
'Names a commit, for good, and returns its hash.
Arguments: name; ref; message.
Errors: 42710 a branch or tag of that name exists, 22023 malformed name, 42704 unknown ref, 22004 NULL name, 25006.
Example: SELECT kvs.create_tag(''v1.0'', message => ''first release'');';

CREATE FUNCTION kvs.get_tag(name text) RETURNS text
LANGUAGE C STABLE PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'kvs_get_tag';
COMMENT ON FUNCTION kvs.get_tag IS
'Hash of the commit that a tag names; NULL if there is no such tag.
Arguments: name.
Example: SELECT kvs.get_tag(''v1.0'');';

CREATE FUNCTION kvs.delete_tag(name text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_delete_tag';
COMMENT ON FUNCTION kvs.delete_tag IS
'Deletes a tag; false if there is none of that name.
Arguments: name.
Errors: 22004 NULL name, 25006.
Example: SELECT kvs.delete_tag(''v1.0'');';

CREATE VIEW kvs.tags WITH (security_barrier) AS
SELECT t.name, encode(t.commit_hash, 'hex') AS commit, t.message, t.tagger, t.created_at
FROM _kvs.tag AS t
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.tags IS
'Tags and the commits that they name.
Example: SELECT name, commit FROM kvs.tags ORDER BY created_at DESC;';

CREATE FUNCTION kvs.rev_parse(ref text) RETURNS text
LANGUAGE C STABLE PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'kvs_rev_parse';
COMMENT ON FUNCTION kvs.rev_parse IS
'Hash of the commit that a ref means.
Arguments: ref, e.g. HEAD~2, main@{1}, main@{yesterday}, main@{2 hours ago}, v1.0, 3fa9.
Errors: 42704 unknown or ambiguous ref, 22023 malformed ref, 55000 WORKING, which is no commit, 22004 NULL ref.
Example: SELECT kvs.rev_parse(''main@{2024-05-01 12:00}'');';

CREATE FUNCTION kvs.merge_base(a text, b text) RETURNS text
LANGUAGE C STABLE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_merge_base';
COMMENT ON FUNCTION kvs.merge_base IS
'Hash of the best common ancestor of two refs; of several equally good ones the first by hash.
Arguments: a, b, refs.
Errors: 42704 unknown ref, 22004 NULL ref.
Example: SELECT kvs.merge_base(''main'', ''feature'');';

CREATE VIEW kvs.reflog WITH (security_barrier) AS
SELECT l.branch, row_number() OVER (PARTITION BY l.branch ORDER BY l.id DESC) - 1 AS n,
       encode(l.from_commit, 'hex') AS from_commit, encode(l.to_commit, 'hex') AS to_commit,
       l.operation, l.author, l.at, encode(l.discarded_root, 'hex') AS discarded_root
FROM _kvs.reflog AS l
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.reflog IS
'Every move of a branch head, n = 0 the latest of the branch: branch@{n} is where the branch stood after it.
Example: SELECT n, operation, to_commit, at FROM kvs.reflog WHERE branch = ''main'' ORDER BY n LIMIT 10;';

-- Merging

CREATE FUNCTION kvs.merge(source text, target text DEFAULT NULL, message text DEFAULT NULL, strategy text DEFAULT 'manual')
RETURNS SETOF kvs.merge_result
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_merge';
COMMENT ON FUNCTION kvs.merge IS
'Merges a commit into a branch. If the branch has nothing of its own it moves forward, else a commit with two parents is made. Documents merge by
path: edits of different members do not conflict; see kvs.set_merge_policy for arrays and counters. With conflicts, strategy manual applies nothing and stages the merge beside the branch
(view kvs.conflicts, kvs.resolve, kvs.merge_continue, kvs.merge_abort); ours and theirs decide each conflict, path by path. Uncommitted work of the branch stays
uncommitted. Tags, expiry and schema never conflict: tags that either side added or removed are added and removed; of two new expiries the later holds, none being the
latest; of two new schemas that of the source.
Arguments: source, a branch, tag or any ref; target branch, default the session''s; message of the commit; strategy manual, ours or theirs.
Returns one row: commit (the new head; NULL where the branch stays where it was), fast_forward, merged (keys changed), conflicts.
Errors: 42704 unknown ref, 22023 unknown strategy or empty message, 55000 uncommitted changes would be overwritten or a merge is staged already, 55P03 the branch''s
writers did not end within kvs.branch_lock_timeout, 40001, 25006.
Example: SELECT * FROM kvs.merge(''feature'', message => ''prices of May'');';

CREATE FUNCTION kvs.preview_merge(source text, target text DEFAULT NULL) RETURNS SETOF kvs.conflict
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10
AS 'MODULE_PATHNAME', 'kvs_preview_merge';
COMMENT ON FUNCTION kvs.preview_merge IS
'The conflicts that kvs.merge would meet; stages nothing and changes nothing.
Arguments: source, target as for kvs.merge.
Errors: 42704 unknown ref, 22004 NULL source.
Example: SELECT key, path, ours, theirs FROM kvs.preview_merge(''feature'');';

CREATE VIEW kvs.conflicts WITH (security_barrier) AS
SELECT coalesce(b.name, 'main') AS branch, c.key, c.path, c.base, c.ours, c.theirs, c.reason, c.resolution, c.value
FROM _kvs.conflict AS c LEFT JOIN _kvs.branch AS b ON b.id = c.branch_id
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.conflicts IS
'The conflicts of staged merges. UPDATE resolves: set resolution to ours, theirs, base or delete, or set value; see kvs.resolve,
which is to be called where session_replication_role is replica: UPDATE of this view changes nothing then.
Example: UPDATE kvs.conflicts SET resolution = ''theirs'' WHERE branch = ''main'' AND path LIKE ''/price%'';';

CREATE FUNCTION _kvs.conflicts_update() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'kvs_conflicts_update';
COMMENT ON FUNCTION _kvs.conflicts_update IS 'Makes UPDATE of kvs.conflicts a call of kvs.resolve.';

CREATE TRIGGER resolve INSTEAD OF UPDATE ON kvs.conflicts
FOR EACH ROW EXECUTE FUNCTION _kvs.conflicts_update();

CREATE FUNCTION kvs.resolve(key text, resolution text, value jsonb DEFAULT NULL, path text DEFAULT NULL, branch text DEFAULT NULL)
RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_resolve';
COMMENT ON FUNCTION kvs.resolve IS
'Decides conflicts of the merge that is staged on a branch; kvs.merge_continue applies the decisions. False if there is no such conflict.
Arguments: key; resolution ours, theirs, base, delete or value; value, what to put there (with resolution value only); path of the conflict in the document,
default all of the key; branch.
Errors: 22023 unknown resolution, a value where none belongs, or one value for several paths, 22004 no value, 55000 no merge is staged,
42704 unknown branch, 25006.
Example: SELECT kvs.resolve(''user:1'', ''value'', ''"ada@example.org"'', path => ''/email'');';

CREATE FUNCTION kvs.merge_continue(message text DEFAULT NULL, branch text DEFAULT NULL) RETURNS SETOF kvs.merge_result
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_merge_continue';
COMMENT ON FUNCTION kvs.merge_continue IS
'Computes the staged merge anew against what the branch holds now, with the decisions of kvs.resolve, and applies all of it at once. If conflicts are left, or
new ones have come up, it applies nothing and view kvs.conflicts shows them. A decision holds only as long as the values that it was made for.
Arguments: message, default that of kvs.merge; branch.
Returns one row, as kvs.merge.
Errors: 55000 no merge is staged, or uncommitted changes would be overwritten, 42704, 55P03, 40001, 25006.
Example: SELECT commit, conflicts FROM kvs.merge_continue();';

CREATE FUNCTION kvs.merge_abort(branch text DEFAULT NULL) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_merge_abort';
COMMENT ON FUNCTION kvs.merge_abort IS
'Forgets the merge that is staged on a branch, with its decisions; false if there is none. The branch was never touched.
Arguments: branch.
Errors: 42704 unknown branch, 25006.
Example: SELECT kvs.merge_abort();';

CREATE FUNCTION kvs.set_merge_policy(pattern text, policy text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_set_merge_policy';
COMMENT ON FUNCTION kvs.set_merge_policy IS
'Says how entries merge that both sides changed; the most specific pattern counts. conflict (the default): objects by path, arrays that both changed conflict;
append: arrays get what either side added; set: arrays are sets; by:FIELD: elements of arrays are objects that FIELD identifies, and merge one by one. CRDT policies never leave a conflict: counter adds up what
both sides counted, set, lww takes the later write, max and min the larger or smaller number.
Arguments: pattern of keys; policy.
Errors: 22023 bad pattern or policy, 25006.
Example: SELECT kvs.set_merge_policy(''cart:*'', ''by:sku'');';

CREATE FUNCTION kvs.register_crdt(pattern text, type text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_register_crdt';
COMMENT ON FUNCTION kvs.register_crdt IS
'kvs.set_merge_policy for the policies that never leave a conflict.
Arguments: pattern of keys; type counter, set, lww, max or min.
Errors: 22023 bad pattern or type, 25006.
Example: SELECT kvs.register_crdt(''likes:*'', ''counter'');';

CREATE VIEW kvs.merge_policies WITH (security_barrier) AS
SELECT p.pattern, p.policy FROM _kvs.merge_policy AS p WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.merge_policies IS 'What kvs.set_merge_policy and kvs.register_crdt have set.';

-- Rewriting

CREATE FUNCTION kvs.revert(ref text, parent int DEFAULT NULL, branch text DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_revert';
COMMENT ON FUNCTION kvs.revert IS
'Takes back what one commit changed, by a new commit, and returns its hash; NULL and a NOTICE if there is nothing to take back.
Arguments: ref of the commit; parent to go back to, 1 or 2, needed for a merge; branch.
Errors: 55000 keys were changed again since, or uncommitted changes would be overwritten (nothing is changed), 22023 no parent given for a
merge, 42704, 55P03, 40001, 25006.
Example: SELECT kvs.revert(''HEAD~2'');';

CREATE FUNCTION kvs.cherry_pick(ref text, strategy text DEFAULT 'manual', branch text DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_cherry_pick';
COMMENT ON FUNCTION kvs.cherry_pick IS
'Applies what one commit changed to a branch, by a new commit with its author and message, to which a line with its hash is added, and returns the
hash; NULL and a NOTICE if the branch has it already.
Arguments: ref of the commit; strategy for conflicts: manual (an error), ours or theirs; branch.
Errors: 55000 conflicts (nothing is changed), uncommitted changes would be overwritten, or the commit is a merge, 42704, 22023, 55P03, 40001, 25006.
Example: SELECT kvs.cherry_pick(''hotfix'');';

CREATE FUNCTION kvs.reset(ref text DEFAULT 'HEAD', mode text DEFAULT 'hard', branch text DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_reset';
COMMENT ON FUNCTION kvs.reset IS
'Moves a branch to a commit and returns its hash. hard: the contents become those of the commit; soft: they stay, and what differs becomes uncommitted work.
Nothing is lost: the reflog has where the branch stood, and uncommitted work that hard throws away is kept as a commit there, so that kvs.reset(''main@{1}'') undoes it.
Versions do not go back: each key that changes gets a new one. hard also forgets a merge that is staged on the branch.
Arguments: ref, also branch@{n}; mode hard or soft; branch.
Errors: 42704 unknown ref, 22023 unknown mode, 55P03, 40001, 25006.
Example: SELECT kvs.reset(''HEAD~1'');';

CREATE FUNCTION kvs.rebase(branch text, onto text, strategy text DEFAULT 'manual') RETURNS TABLE (old_commit text, new_commit text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10
AS 'MODULE_PATHNAME', 'kvs_rebase';
COMMENT ON FUNCTION kvs.rebase IS
'Moves the commits of a branch that onto does not have to the top of onto, one by one with their authors and messages. A row per commit, oldest first; new_commit is NULL for one that onto
has the changes of already. Merge commits are moved as one change, along the first parent.
Arguments: branch; onto, any ref; strategy for conflicts: manual (an error), ours (what onto has) or theirs.
Errors: 55000 conflicts or uncommitted work (nothing is changed), 42704, 22023, 55P03, 40001, 25006.
Example: SELECT * FROM kvs.rebase(''feature'', ''main'');';

CREATE FUNCTION kvs.squash(from_ref text, message text, branch text DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_squash';
COMMENT ON FUNCTION kvs.squash IS
'Makes one commit of all that lie above from_ref and returns its hash. Contents and uncommitted work stay as they are.
Where they cancel out there is no commit in their place, but NULL and a NOTICE.
Arguments: from_ref, the last commit that stays; message; branch.
Errors: 55000 from_ref does not lie below the head, 22023 empty message, 42704, 22004, 55P03, 40001, 25006.
Example: SELECT kvs.squash(''HEAD~3'', ''prices of May'');';

CREATE FUNCTION kvs.stash(message text DEFAULT NULL, branch text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_stash';
COMMENT ON FUNCTION kvs.stash IS
'Puts the uncommitted work of a branch aside, so that the branch is as its head, and returns the number of the stash; NULL and a NOTICE if there is none.
Arguments: message; branch.
Errors: 42704 unknown branch, 55P03, 40001, 25006.
Example: SELECT kvs.stash(''half done'');';

CREATE FUNCTION kvs.stash_apply(id bigint, branch text DEFAULT NULL) RETURNS SETOF kvs.merge_result
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_stash_apply';
COMMENT ON FUNCTION kvs.stash_apply IS
'Merges a stash into the working state of a branch, any branch; commits nothing. Conflicts are staged as those of kvs.merge. The stash stays.
Arguments: id, see view kvs.stashes; branch.
Returns one row, as kvs.merge; commit is NULL.
Errors: P0002 no such stash, 55000 a merge is staged, 42704, 55P03, 40001, 25006.
Example: SELECT merged, conflicts FROM kvs.stash_apply(1);';

CREATE FUNCTION kvs.stash_pop(id bigint, branch text DEFAULT NULL) RETURNS SETOF kvs.merge_result
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_stash_pop';
COMMENT ON FUNCTION kvs.stash_pop IS
'kvs.stash_apply, then kvs.stash_drop unless there were conflicts.
Arguments: id; branch.
Errors: as kvs.stash_apply.
Example: SELECT merged, conflicts FROM kvs.stash_pop(1);';

CREATE FUNCTION kvs.stash_drop(id bigint) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_stash_drop';
COMMENT ON FUNCTION kvs.stash_drop IS
'Forgets a stash; false if there is none of this number.
Arguments: id.
Errors: 22004 NULL id, 25006.
Example: SELECT kvs.stash_drop(1);';

CREATE VIEW kvs.stashes WITH (security_barrier) AS
SELECT s.id, s.branch, encode(s.head, 'hex') AS head, encode(s.commit_hash, 'hex') AS commit, s.message, s.author, s.at
FROM _kvs.stash AS s
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.stashes IS
'Work put aside by kvs.stash: the branch and head it was made on, and a commit that holds it.
Example: SELECT d.* FROM kvs.stashes AS s, kvs.diff(s.head, s.commit) AS d WHERE s.id = 1;';
-- Remotes

CREATE TYPE kvs.ref_transfer AS (
    ref        text,
    old_commit text,
    new_commit text,
    chunks     bigint,
    bytes      bigint
);
COMMENT ON TYPE kvs.ref_transfer IS
'What a transfer did about one ref: where it stood and stands (old_commit NULL: it is new; new_commit NULL: not all has come
yet, or the branch is gone there and was pruned), how many chunks were sent for it, and their bytes as they were sent, compressed.';

CREATE FUNCTION kvs.add_remote(name text, conninfo text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_add_remote';
COMMENT ON FUNCTION kvs.add_remote IS
'Gives a name to another database with kvs, and true. Nothing is connected to yet.
Arguments: name, without a slash; conninfo, a connection string of libpq without secrets (service=NAME, or a passfile, brings
the password), or foreign_server=NAME: options of that foreign server and of the user''s mapping for it, for those who are no
superuser. Another server of that name, which belongs to another role, is refused when it is used (42501).
Errors: 42710 the name is taken, or a branch or tag NAME/... exists, 22023 malformed name or conninfo, or a password in it, 42501 a connection string of who is no
superuser, or no USAGE on the server, 42704 unknown server, 22004 NULL, 25006.
Example: SELECT kvs.add_remote(''origin'', ''service=headquarters dbname=shop'');';

CREATE FUNCTION kvs.drop_remote(name text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_drop_remote';
COMMENT ON FUNCTION kvs.drop_remote IS
'Forgets a remote and where its branches stood; false if there is none of that name. What was fetched stays on the branches
that were made of it.
Arguments: name.
Errors: 22004 NULL name, 25006.
Example: SELECT kvs.drop_remote(''origin'');';

CREATE VIEW kvs.remotes WITH (security_barrier) AS
SELECT r.name, r.conninfo, r.added_by, r.added_at
FROM _kvs.remote AS r
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.remotes IS
'Remotes and how they are reached; passwords are not among it.
Example: SELECT name, conninfo FROM kvs.remotes;';

CREATE VIEW kvs.remote_branches WITH (security_barrier) AS
SELECT r.remote || '/' || r.branch AS name, r.remote, r.branch, encode(r.head, 'hex') AS head, c.message, r.updated_at
FROM _kvs.remote_ref AS r LEFT JOIN _kvs.commit AS c ON c.hash = r.head
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.remote_branches IS
'Where the branches of remotes stood when they were last fetched or pushed to, and what bundles brought (remote bundle). name
is a ref.
Example: SELECT name, message, updated_at FROM kvs.remote_branches;
         SELECT * FROM kvs.diff(''main'', ''origin/main'');';

CREATE FUNCTION kvs.fetch(remote text, branch text DEFAULT NULL, max_bytes bigint DEFAULT NULL, prune boolean DEFAULT false)
RETURNS SETOF kvs.ref_transfer
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
AS 'MODULE_PATHNAME', 'kvs_fetch';
COMMENT ON FUNCTION kvs.fetch IS
'Brings branches of a remote as refs REMOTE/BRANCH, and tags that point into what is here then and whose names are free. Only
chunks that are missing are sent; each is verified. Branches do not move, nor do tags: a NOTICE names those that stand elsewhere
on the remote.
Arguments: remote; branch, default all; max_bytes, about how much is brought by one call: call again, in another transaction,
until no new_commit is NULL. What an earlier call has brought is not sent again. prune: refs REMOTE/BRANCH whose branch the remote
has no longer are forgotten.
Errors: 42704 unknown remote, or no such branch on it, 08001 cannot connect, 08006 connection lost, 55000 no kvs there,
2F003 a password is required, XX001 what was sent is damaged, errors of the remote, 22004, 22023, 25006.
Example: SELECT ref, chunks FROM kvs.fetch(''origin'');';

CREATE FUNCTION kvs.push(remote text, branch text, force boolean DEFAULT false) RETURNS SETOF kvs.ref_transfer
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_push';
COMMENT ON FUNCTION kvs.push IS
'Sends the commits of a branch and moves the remote''s branch of that name, or creates it; or a tag likewise. The remote commits what it gets, so
a rollback here takes nothing back, and a push that was interrupted goes on where it was. Uncommitted work stays here. It belongs
in a transaction of its own: one that has written may be waited for there, until kvs.branch_lock_timeout.
Arguments: remote; branch, or a tag; force, also where the remote''s branch loses commits or uncommitted work (its reflog keeps
them), or its tag moves.
Errors: 55000 the remote''s branch has commits that are not here, or uncommitted work, its tag stands elsewhere, or the remote is this database and the
branch was moved in this transaction, 42704 unknown remote or branch, 55P03 a lock there was not got in time, those of a
connection as in kvs.fetch, errors of the remote, 22004 NULL, 25006.
Example: SELECT new_commit, chunks FROM kvs.push(''origin'', ''main'');';

CREATE FUNCTION kvs.pull(remote text, branch text) RETURNS SETOF kvs.ref_transfer
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_pull';
COMMENT ON FUNCTION kvs.pull IS
'Fetches a branch of a remote and merges it into the branch of that name, or creates that. As with kvs.merge, a branch without
commits of its own moves forward, and conflicts are staged: then the branch stays where it was.
Arguments: remote; branch.
Errors: 55000 uncommitted changes would be overwritten, or a merge is staged already, 55P03 the branch is busy, those of
kvs.fetch.
Example: SELECT old_commit, new_commit FROM kvs.pull(''origin'', ''main'');';

CREATE FUNCTION kvs.clone(remote text) RETURNS SETOF kvs.ref_transfer
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
AS 'MODULE_PATHNAME', 'kvs_clone';
COMMENT ON FUNCTION kvs.clone IS
'Brings all branches and tags of a remote into a store that has no branch but main, and no commit, entry or tag; keys that are
deleted go on from the versions that they had. What kvs.fetch has brought before is not sent again.
Arguments: remote.
Errors: 55000 the store is not empty: the hint tells how it would be; those of kvs.fetch.
Example: SELECT kvs.add_remote(''origin'', ''service=headquarters''); SELECT ref, new_commit FROM kvs.clone(''origin'');';

-- Bundles

CREATE FUNCTION _kvs.export_bundle(ref text, since text) RETURNS SETOF bytea
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_export_bundle';
COMMENT ON FUNCTION _kvs.export_bundle IS 'Rows of kvs.export_bundle, one per call.';

CREATE FUNCTION kvs.export_bundle(ref text, since text DEFAULT NULL) RETURNS SETOF bytea
LANGUAGE SQL STABLE PARALLEL SAFE COST 100000 ROWS 100
BEGIN ATOMIC
    SELECT r.part FROM (SELECT _kvs.export_bundle(ref, since) AS part OFFSET 0) AS r;
END;
COMMENT ON FUNCTION kvs.export_bundle IS
'A commit with its history and all that it holds, as parts of about 1 MB that kvs.import_bundle takes in another store. Their
order is that of the rows; each part names its place. Rows stream. The format: docs/bundle-format.md.
Arguments: ref; since, without what that ref reaches, which the importer must have.
Errors: 42704 unknown ref, 55000 WORKING, which is no commit, 22004 NULL ref, XX001 a chunk that is missing or damaged.
Example: CREATE TABLE parts AS
         SELECT n, part FROM kvs.export_bundle(''main'', since => ''v1.0'') WITH ORDINALITY AS b(part, n);';

CREATE FUNCTION kvs.import_bundle(parts bytea[]) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000
AS 'MODULE_PATHNAME', 'kvs_import_bundle';
COMMENT ON FUNCTION kvs.import_bundle IS
'Takes over what kvs.export_bundle wrote and returns the hash of its head. Every chunk and commit is verified. No branch
moves: the head can be named bundle/NAME from then on, NAME being the branch or tag that was exported, or else its hash.
Arguments: parts, all of one bundle in their order, at most 1 GB (export in several steps with since).
Errors: 55000 a commit that the bundle builds on is not here, or a part is missing, XX001 a part is damaged,
22023 unknown version of the format, 22004 NULL, 25006.
Example: SELECT kvs.import_bundle(array_agg(part ORDER BY n)) FROM parts;
         SELECT kvs.create_branch(''theirs'', ''bundle/main'');';

-- A look inside

CREATE FUNCTION kvs.inspect_commit(ref text) RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_inspect_commit';
COMMENT ON FUNCTION kvs.inspect_commit IS
'All fields of a commit as an object.
Arguments: ref.
Errors: 42704 unknown ref, 22004 NULL ref.
Example: SELECT jsonb_pretty(kvs.inspect_commit(''HEAD''));';

CREATE FUNCTION kvs.inspect_tree(ref_or_root text) RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'kvs_inspect_tree';
COMMENT ON FUNCTION kvs.inspect_tree IS
'Shape of a tree: depth, nodes, leaves, entries, bytes, histogram of node sizes. Reads the whole tree.
Arguments: ref_or_root, a ref (its data tree) or the full hash of a root.
Errors: 42704 unknown ref or root, 22004 NULL argument.
Example: SELECT jsonb_pretty(kvs.inspect_tree(''HEAD''));';

CREATE FUNCTION kvs.dump_object(hash text) RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_dump_object';
COMMENT ON FUNCTION kvs.dump_object IS
'A stored object, decoded: a tree node, a blob or a commit.
Arguments: hash, 64 hexadecimal digits.
Errors: P0002 no such object, 22023 malformed hash, 22004 NULL hash.
Example: SELECT jsonb_pretty(kvs.dump_object(root)) FROM kvs.log() LIMIT 1;';

CREATE FUNCTION kvs.stats() RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_stats';
COMMENT ON FUNCTION kvs.stats IS
'Figures of the store: total_keys, total_commits, total_branches, object_count, disk_usage, compression, node_cache,
projections, log, workers. node_cache: size_bytes; hits, misses and evictions since the server started, or of this session
where the cache is not shared. log, of the change log: changes and bytes; first_seq and last_seq, numbers of the oldest and the newest change;
low_water_mark, below which changes may have been removed; kept_since, from when on none was (null: from the beginning).
Example: SELECT jsonb_pretty(kvs.stats());';

-- Operations, as they are observed

CREATE FUNCTION _kvs.stat_operations() RETURNS TABLE (
    operation text, calls bigint, errors bigint, total_ms float8, mean_ms float8, min_ms float8, max_ms float8, p50_ms float8, p99_ms float8
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 100 ROWS 20
AS 'MODULE_PATHNAME', 'kvs_stat_operations';
COMMENT ON FUNCTION _kvs.stat_operations IS 'The operations of this database that were counted.';

CREATE VIEW kvs.stat_operations AS
SELECT s.operation, s.calls, s.errors, s.total_ms, s.mean_ms, s.min_ms, s.max_ms, s.p50_ms, s.p99_ms
FROM _kvs.stat_operations() AS s;
COMMENT ON VIEW kvs.stat_operations IS
'How often each operation of this database was called, by all sessions, while kvs.track_operations was on, since the server
started or since kvs.reset_stats(). operation is the name of the function; scans of foreign tables are "scan (foreign table)".
calls include those that raised an error, which errors counts. A function that returns rows one by one is one call, from the
first row to the end of the query. min_ms and max_ms are exact, p50_ms and p99_ms within 12 %. Readable with SELECT on
kvs.entries, and by members of pg_read_all_stats. Empty, with a NOTICE, unless the library was preloaded.
Example: SELECT operation, calls, errors, p50_ms, p99_ms FROM kvs.stat_operations ORDER BY total_ms DESC;';

CREATE FUNCTION _kvs.operation_log() RETURNS TABLE (
    id bigint, operation text, key text, branch text, role oid, started_at timestamptz, duration interval, sqlstate text, error text,
    traceparent text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 100 ROWS 1000
AS 'MODULE_PATHNAME', 'kvs_operation_log';
COMMENT ON FUNCTION _kvs.operation_log IS 'The operations of this database that were logged, of those roles that the caller may see.';

CREATE VIEW kvs.operation_log AS
SELECT l.id, l.operation, l.key COLLATE "C" AS key, l.branch, pg_get_userbyid(l.role) AS role, l.started_at, l.duration, l.sqlstate,
       l.error, l.traceparent
FROM _kvs.operation_log() AS l;
COMMENT ON VIEW kvs.operation_log IS
'The last operations of this database that took kvs.log_min_duration or longer, or that kvs.log_sample_rate drew; the oldest
first. key is the key, pattern or prefix that the call was for; branch the one that it named, or the session''s; role as whom it
was called. sqlstate and error, the message, are NULL if it raised none. What was logged stays when the transaction is rolled
back, until kvs.operation_log_size others have come or the server restarts. Texts are cut at 256 bytes. A role sees the operations of the roles that it has
the privileges of; members of pg_read_all_stats see all. Empty, with a NOTICE, unless the library was preloaded.
Example: SELECT started_at, duration, operation, key, sqlstate FROM kvs.operation_log ORDER BY duration DESC LIMIT 10;';

CREATE FUNCTION kvs.reset_stats() RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'kvs_reset_stats';
COMMENT ON FUNCTION kvs.reset_stats IS
'Begins kvs.stat_operations anew for this database; false if there are none, since the library was not preloaded. Only the owner of
the extension may call it, until he grants EXECUTE.
Example: SELECT kvs.reset_stats();';

CREATE FUNCTION kvs.metrics() RETURNS text
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000
AS 'MODULE_PATHNAME', 'kvs_metrics';
COMMENT ON FUNCTION kvs.metrics IS
'Figures for monitoring, in Prometheus'' text format: operations with their durations (kvs.track_operations), node cache, tables,
change log, branches, workers, the stream, subscriptions, bindings. Cheap enough for every few seconds: numbers of rows are those of the
server''s statistics. Allowed with SELECT on kvs.entries, and to members of pg_read_all_stats.
Example: SELECT kvs.metrics();';

CREATE FUNCTION kvs.check() RETURNS TABLE (severity text, type text, object text, detail text)
LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 10
AS 'MODULE_PATHNAME', 'kvs_check';
COMMENT ON FUNCTION kvs.check IS
'Verifies the whole store and returns what it finds, no row if all is well. severity info: orphaned_object; error: missing_object,
corrupt_object, dangling_ref, broken_history, wrong_count, ... It reads everything and changes nothing.
Example: SELECT * FROM kvs.check() WHERE severity = ''error'';';

-- Collection

CREATE FUNCTION kvs.gc(dry_run boolean DEFAULT false)
RETURNS TABLE (objects_removed bigint, bytes_reclaimed bigint, objects_live bigint, bytes_live bigint, changes_removed bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_gc';
COMMENT ON FUNCTION kvs.gc IS
'Garbage collection: removes the chunks and commits that no branch, tag, record of the change log and move of the reflog
within kvs.reflog_retention reaches, and of the change log what is older than kvs.change_retention; and returns one row. It
runs beside readers and writers; flushes, commits and moves of refs wait from the moment it begins to delete until the
caller''s transaction ends, so call it in a transaction of its own. It may be cancelled at any time and called again. The log
goes in parts, over several calls, and not before each snapshot has seen that it goes: changes_removed tells of how many rows.
What only an import''s record has held goes with the next call. Only the owner of the extension may call it, until he grants
EXECUTE.
Arguments: dry_run, only count what would be removed.
Errors: 55P03 a flush or commit, or another collection, lasted longer than kvs.gc_lock_timeout, XX001 the store is damaged,
25006, 42501.
Example: SELECT * FROM kvs.gc(dry_run => true);';

CREATE FUNCTION _kvs.gc_progress() RETURNS TABLE (
    pid int, database oid, started_at timestamptz, phase text, chunks_total bigint, chunks_marked bigint,
    chunks_found bigint, chunks_removed bigint, commits_marked bigint, commits_removed bigint, chunks_packed bigint
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_gc_progress';
COMMENT ON FUNCTION _kvs.gc_progress IS 'The collections and repackings that run in the cluster.';

CREATE VIEW kvs.gc_progress WITH (security_barrier) AS
SELECT p.pid, p.started_at, p.phase, p.chunks_total, p.chunks_marked, p.chunks_found, p.chunks_removed,
       p.commits_marked, p.commits_removed, p.chunks_packed
FROM _kvs.gc_progress() AS p
WHERE _kvs.guard_read() AND p.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
COMMENT ON VIEW kvs.gc_progress IS
'The garbage collections and repackings that run in this database. phase: marking commits, marking trees, comparing, waiting
for the lock, removing; of a repacking comparing commits, packing, and chunks_packed counts what it has moved. chunks_total is an estimate until the trees are marked. Empty unless the library was preloaded.
Example: SELECT phase, round(100.0 * chunks_marked / nullif(chunks_total, 0)) AS percent FROM kvs.gc_progress;';

CREATE FUNCTION kvs.repair()
RETURNS TABLE (orphaned_objects_removed bigint, projections_rebuilt bigint, errors text[])
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_repair';
COMMENT ON FUNCTION kvs.repair IS
'Repairs a damaged store as far as what is damaged follows from what is whole, and returns one row: errors names what it left
as it is, one line each; restore that from a backup. Derived are rows of commits, heads of branches (from the reflog), tree
nodes that a cache still holds, large values (from the change log), links between changes. Removed are uncommitted rows of
branches that do not exist and, if no damage is left, what nothing refers to. Flushes, commits and moves of refs wait until
the caller''s transaction ends. Only the owner of the extension may call it, until he grants EXECUTE. Make a backup first.
Errors: 55P03 a flush or commit, or a collection, lasted longer than kvs.gc_lock_timeout, 25001 not READ COMMITTED, 25006, 42501.
Example: SELECT orphaned_objects_removed, unnest(errors) FROM kvs.repair();';
CREATE FUNCTION kvs.train_dictionaries()
RETURNS TABLE (chunk_class text, samples bigint, bytes_without bigint, bytes_with bigint, dictionary_id int)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 3
AS 'MODULE_PATHNAME', 'kvs_train_dictionaries';
COMMENT ON FUNCTION kvs.train_dictionaries IS
'Trains a dictionary on a sample of the stored chunks of each class (leaf, internal, blob), and puts it in use for new chunks
where it pays: where it saves a tenth of what chunks that it was not trained on take now. One row for each class of which
there are 60 chunks: samples, how many it was trained on; bytes_without and bytes_with it; dictionary_id, NULL if it does
not pay. Train when there are some thousand documents, and again when they look different.
Errors: 25006.
Example: SELECT chunk_class, dictionary_id FROM kvs.train_dictionaries();';

CREATE FUNCTION kvs.repack(max_chunks bigint DEFAULT NULL)
RETURNS TABLE (chunks_rewritten bigint, bytes_before bigint, bytes_after bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1
AS 'MODULE_PATHNAME', 'kvs_repack';
COMMENT ON FUNCTION kvs.repack IS
'Moves chunks that only history needs into packs, where the versions of one place of a tree are compressed together, and
returns how many it moved and the bytes that they took before and take now. Nothing that can be read changes, and readers and
writers go on. Chunks that a branch or a tag has stay as they are, and so do those that a pack would not make smaller. With
preloading a background worker does the same for new commits (kvs.autorepack); a call looks at the whole history, and so finds
also what has become cold otherwise, as by a branch that was deleted. What a call leaves is done by the next. The rows that
it moves leave free space in _kvs.chunk: VACUUM _kvs.chunk makes it available for new chunks, VACUUM (FULL) returns it to the
system.
Arguments: max_chunks, at most so many, the oldest first; NULL: all.
Errors: 22023 negative max_chunks, XX001 a damaged tree, 25006.
Example: SELECT chunks_rewritten, bytes_before - bytes_after AS saved FROM kvs.repack();';


/* ---------------------------------------------------------------------------------------------------------
 * 5. Events
 * ------------------------------------------------------------------------------------------------------ */

CREATE TYPE kvs.change_event AS (
    pos         bigint,
    xid         xid8,
    branch      text,
    key         text COLLATE "C",
    operation   text,
    op          text,
    version     bigint,
    type        text,
    old_value   jsonb,
    new_value   jsonb,
    old_bytes   bytea,
    new_bytes   bytea,
    modified_by text,
    comment     text,
    tags        text[],
    at          timestamptz,
    origin      text,
    traceparent text
);
COMMENT ON TYPE kvs.change_event IS
'A change of a key, at its position in the stream. operation: set or delete. op: set, patch, delete, expire, merge, revert, reset,
restore, import. xid: the writing transaction, whose events follow one another. branch: NULL if it is gone. old_value and
old_bytes: what the key held before, NULL also where that is no longer kept.';

CREATE FUNCTION kvs.events(after bigint DEFAULT 0, pattern text DEFAULT '#', max_rows bigint DEFAULT 1000,
                           branch text DEFAULT NULL, wait interval DEFAULT NULL) RETURNS SETOF kvs.change_event
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 1000
AS 'MODULE_PATHNAME', 'kvs_events';
COMMENT ON FUNCTION kvs.events IS
'The events behind a position, in the order of the stream: per key in the order of its versions, each transaction whole, and a
transaction before another if it was committed before the other wrote last. With wait it returns as soon as there is an event that
matches, or nothing after that time; this works through any pooler, since nothing of the session is used in between.
Arguments: after, a position, 0 for the beginning; pattern (see kvs.keys); max_rows; branch, NULL for the session''s, * for all;
wait.
Errors: KV002 events behind the position are no longer kept; KV003 the position is of another history; 0A000 wait on a standby;
25001 wait above READ COMMITTED; 22023 malformed pattern, negative position, wait or max_rows; 42704 unknown branch.
Example: SELECT pos, operation, key, new_value FROM kvs.events(after => 0, pattern => ''user:+'') LIMIT 3;';

CREATE FUNCTION kvs.position() RETURNS bigint
LANGUAGE C STABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'kvs_position';
COMMENT ON FUNCTION kvs.position IS
'The position of the last event of the stream, of all branches; 0: there was none.
Errors: 42501.
Example: SELECT kvs.position();';

CREATE FUNCTION kvs.wait_for(pos bigint DEFAULT NULL, timeout interval DEFAULT '5s') RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_wait_for';
COMMENT ON FUNCTION kvs.wait_for IS
'Waits until the stream has come to a position, or, without one, until all that is committed now is in it; returns whether it
has, false when the time is over. So whoever has written finds it among kvs.events afterwards.
Arguments: pos; timeout, NULL waits for as long as it takes.
Errors: 0A000 on a standby: ask kvs.position() there; 25001 above READ COMMITTED; 22023 negative timeout.
Example: SELECT kvs.wait_for();';

CREATE FUNCTION kvs.event(pos bigint) RETURNS jsonb
LANGUAGE SQL VOLATILE PARALLEL UNSAFE COST 10000
BEGIN ATOMIC
    SELECT jsonb_strip_nulls(jsonb_build_object(
               'pos', e.pos, 'xid', e.xid::text::numeric, 'branch', e.branch, 'key', e.key, 'operation', e.operation, 'op', e.op,
               'version', e.version, 'type', e.type, 'modified_by', e.modified_by, 'comment', e.comment, 'tags', e.tags, 'at', e.at,
               'origin', e.origin, 'traceparent', e.traceparent))
           || CASE WHEN e.old_value IS NOT NULL THEN jsonb_build_object('old', e.old_value)
                   WHEN e.old_bytes IS NOT NULL THEN jsonb_build_object('old', e.old_bytes::text) ELSE '{}' END
           || CASE WHEN e.new_value IS NOT NULL THEN jsonb_build_object('new', e.new_value)
                   WHEN e.new_bytes IS NOT NULL THEN jsonb_build_object('new', e.new_bytes::text) ELSE '{}' END
    FROM kvs.events(event.pos - 1, '#', 1, '*') AS e WHERE e.pos = event.pos;
END;
COMMENT ON FUNCTION kvs.event IS
'The event at a position with all that is known of it, as notifications have it where it fits; NULL if there is none.
Arguments: pos.
Errors: KV002 it is no longer kept; KV003 the position is of another history; 22023 it is not positive.
Example: SELECT kvs.event(kvs.position());';

CREATE FUNCTION kvs.subscribe(pattern text, branch text DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_subscribe';
COMMENT ON FUNCTION kvs.subscribe IS
'Makes this session hear of the changes of all keys that match, by NOTIFY on a channel of its own, which it returns and which the
session LISTENs to from now on. An event that is committed after this transaction is sent. However many of a session''s patterns
match, an event comes once. The payload is a JSON object: pos, key, namespace, operation, op, version, branch, at, modified_by,
origin, data_hash, tags, old, new, and the patterns that match; where that is longer than a notification may be, "truncated": true
stands for old and new, which kvs.event(pos) tells. {"from", "pos", "truncated"} without a key stands for all events in between,
which kvs.events() reads: of a very large transaction, or when too many notifications wait to be heard.
Arguments: pattern (see kvs.keys); branch, NULL for the session''s, * for all.
Errors: 22023 malformed pattern, 22004 NULL pattern, 42704 unknown branch, 25006, 42501.
Example: SELECT kvs.subscribe(''user:+'') <> '''' AS subscribed;';

CREATE FUNCTION kvs.unsubscribe(pattern text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_unsubscribe';
COMMENT ON FUNCTION kvs.unsubscribe IS
'Takes a subscription of this session back, or all of them, on whatever branch, and returns how many there were.
Arguments: pattern as it was given to kvs.subscribe, NULL for all.
Errors: 25006.
Example: SELECT kvs.unsubscribe();';
-- Durable subscriptions

CREATE TYPE kvs.delivery AS (
    pos            bigint,
    xid            xid8,
    branch         text,
    key            text COLLATE "C",
    operation      text,
    op             text,
    version        bigint,
    type           text,
    old_value      jsonb,
    new_value      jsonb,
    old_bytes      bytea,
    new_bytes      bytea,
    modified_by    text,
    comment        text,
    tags           text[],
    at             timestamptz,
    origin         text,
    traceparent    text,
    delivery_count int,
    lease_until    timestamptz
);
COMMENT ON TYPE kvs.delivery IS
'An event that was handed out to a member of a durable subscription: the columns of kvs.change_event, and delivery_count: how often it
was handed out, this time included; lease_until: up to when it is the member''s.';

CREATE FUNCTION kvs.create_subscription(
    name text, pattern text DEFAULT '#', from_pos bigint DEFAULT NULL, branch text DEFAULT NULL, operations text[] DEFAULT NULL,
    max_deliveries int DEFAULT NULL, on_park text DEFAULT 'hold_key', max_in_flight int DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_create_subscription';
COMMENT ON FUNCTION kvs.create_subscription IS
'Creates a durable subscription and returns the position that it begins behind. The store remembers what its members have acknowledged;
what they have not, they get again: each event at least once, and once in effect where kvs.ack stands in the transaction of the effect.
The events of a key come one after the other, whichever member gets them. As long as there is the subscription, the log is kept for it
(kvs.subscription_retention).
Arguments: name; pattern (see kvs.keys); from_pos, a position, 0 for the beginning, NULL for now; branch, NULL for the session''s, * for
all; operations, NULL for all, else any of set (whatever leaves a value), delete (whatever removes the key), and patch, expire, merge,
revert, reset, restore, import (what did so); max_deliveries, after so many an event is parked, NULL: never; on_park, hold_key: later
events of the key of a parked event wait until it is replayed, skip: they do not; max_in_flight, how many events may be handed out and
not acknowledged at a time, NULL: any number.
Errors: 42710 the name is taken, KV002 events behind from_pos are no longer kept, KV003 from_pos is of another history, 22023 a
malformed argument, 42704 unknown branch, 25006.
Example: SELECT kvs.create_subscription(''mailer'', ''user:+'', max_deliveries => 5) IS NOT NULL AS created;';

CREATE FUNCTION kvs.poll(name text, member text DEFAULT NULL, max_rows bigint DEFAULT 100, lease interval DEFAULT '30s',
                         wait interval DEFAULT NULL) RETURNS SETOF kvs.delivery
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_poll';
COMMENT ON FUNCTION kvs.poll IS
'Hands out the next events of a durable subscription, in the order of the stream. They are the member''s until it acknowledges them
(kvs.ack), gives them back (kvs.nack), or the lease runs out: then they are handed out again. While a member has an event of a key, no
other gets later ones of that key. Events belong to the polling transaction: if it is rolled back, they were never handed out; while it
runs, they stay the member''s however long that takes. A member is one session at a time: another one that acts under its name waits.
Arguments: name; member, NULL for the one without a name; max_rows; lease; wait, see kvs.events.
Errors: KV002 the next events are no longer kept, KV003 the subscription comes from another history: kvs.seek; 42704 unknown name;
55P03 another transaction acts as this member; 0A000, 25001 see kvs.events; 22023 malformed argument; 25006.
Example: SELECT pos, key, new_value, delivery_count FROM kvs.poll(''mailer'', ''worker 1'', max_rows => 10);';

CREATE FUNCTION kvs.ack(name text, pos bigint, member text DEFAULT NULL) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_ack';
COMMENT ON FUNCTION kvs.ack IS
'Acknowledges an event: it is not handed out again once this transaction is committed. Events may be acknowledged in any order. An event
that is no longer the member''s, because its lease ran out and another got it, or kvs.seek moved the subscription, is refused: so what
this transaction has done for it is rolled back. Always true.
Arguments: name; pos; member, as it polled.
Errors: 55000 the event is not in the hands of the member; 42704 unknown name; 55P03 another transaction acts as this member; 22004; 25006.
Example: SELECT kvs.ack(''mailer'', pos, ''worker 1'') FROM kvs.poll(''mailer'', ''worker 1'', max_rows => 10);';

CREATE FUNCTION kvs.ack_many(name text, pos bigint[], member text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_ack_many';
COMMENT ON FUNCTION kvs.ack_many IS
'Acknowledges events together, which costs little more than one: see kvs.ack. Returns how many.
Arguments: name; pos, positions, NULL: none; member, as it polled.
Errors: 55000 an event is not in the hands of the member, none is acknowledged then; 42704 unknown name; 55P03 another transaction acts
as this member; 22004; 25006.
Example: SELECT kvs.ack_many(''mailer'', array_agg(pos), ''worker 1'') FROM kvs.poll(''mailer'', ''worker 1'');';

CREATE FUNCTION kvs.nack(name text, pos bigint, delay interval DEFAULT '0', member text DEFAULT NULL) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_nack';
COMMENT ON FUNCTION kvs.nack IS
'Gives an event back, to be handed out again after the delay; until then its key waits. What else the member has of that key behind it is
given back with it, because it comes after it again. After max_deliveries the event is parked instead. Always true.
Arguments: name; pos; delay; member, as it polled.
Errors: 55000 the event is not in the hands of the member; 42704 unknown name; 55P03 another transaction acts as this member; 22023
negative delay; 22004; 25006.
Example: SELECT kvs.nack(''mailer'', pos, ''5s'', ''worker 1'') FROM kvs.poll(''mailer'', ''worker 1'', max_rows => 1);';

CREATE FUNCTION kvs.extend(name text, lease interval, member text DEFAULT NULL) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'kvs_extend';
COMMENT ON FUNCTION kvs.extend IS
'Lets the leases of all events in the hands of a member run out so much later than now; false if it has none.
Arguments: name; lease; member, as it polled.
Errors: 42704 unknown name; 55P03 another transaction acts as this member; 22023 a lease that is not positive; 22004; 25006.
Example: SELECT kvs.extend(''mailer'', ''5min'', ''worker 1'');';

CREATE FUNCTION kvs.park(name text, pos bigint, reason text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_park';
COMMENT ON FUNCTION kvs.park IS
'Puts an event aside that was handed out and not acknowledged, whichever member has it: see kvs.parked. With on_park = hold_key the
later events of its key wait until kvs.replay_parked; all others go on. Always true.
Arguments: name; pos; reason, for people.
Errors: 55000 the event was not handed out, or is acknowledged or parked; 42704 unknown name; 55P03 another transaction acts as the member
that has it; KV002 it is no longer kept; 22004; 25006.
Example: SELECT kvs.park(''mailer'', pos, ''no such address'') FROM kvs.poll(''mailer'', ''worker 1'', max_rows => 1);';

CREATE FUNCTION kvs.replay_parked(name text, key text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_replay_parked';
COMMENT ON FUNCTION kvs.replay_parked IS
'Puts parked events back: they are handed out again, ahead of the later events of their keys, and get max_deliveries anew. A binding looks
at its parked keys again, as entry and row are then. Returns how many.
Arguments: name of a durable subscription or of a binding; key, NULL for all.
Errors: KV002 one of them is no longer kept; 42501 the binding is somebody else''s; 42704 unknown name; 22004; 25006.
Example: SELECT kvs.replay_parked(''mailer'', ''user:ada'');';

CREATE FUNCTION kvs.seek(name text, target text) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_seek';
COMMENT ON FUNCTION kvs.seek IS
'Moves a durable subscription to another place of the stream and returns the position that it goes on behind. What is in the hands of its
members is forgotten: acknowledging it is refused from then on. Parked events up to that position stay parked.
Arguments: name; target: start, end, a position, or a time: then it goes on with what came into the stream since.
Errors: 42501 the subscription was created by somebody else; KV002 events behind the position are no longer kept, KV003 it is of another
history; 42704 unknown name; 22023, 22007 malformed target; 22004; 25006.
Example: SELECT kvs.seek(''mailer'', ''end'');';

CREATE FUNCTION kvs.drop_subscription(name text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_drop_subscription';
COMMENT ON FUNCTION kvs.drop_subscription IS
'Drops a durable subscription with all that it remembers; false if there is none of that name. Waits for transactions that consume it. Who
created it may, who has that role''s privileges, and the owner of the extension.
Arguments: name.
Errors: 42501 it was created by somebody else; 55P03 those transactions did not end in time (kvs.branch_lock_timeout); 22004; 25006.
Example: SELECT kvs.drop_subscription(''mailer'');';

CREATE FUNCTION _kvs.member_leases(state bytea) RETURNS TABLE (pos bigint, deliveries int, lease_until timestamptz)
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_member_leases';
COMMENT ON FUNCTION _kvs.member_leases IS 'What a member has in its hands, by its row, whether its leases have run out or not';

CREATE VIEW _kvs.subscription_place AS
SELECT s.id, p.pos,
       least(p.pos, (SELECT min(e.pos) - 1 FROM _kvs.subscription_event AS e WHERE e.subscription = s.id AND e.generation = s.generation))
       AS needed
FROM _kvs.subscription AS s
CROSS JOIN LATERAL (SELECT greatest(s.start_pos, max(m.floor)) AS pos
                    FROM _kvs.subscription_member AS m WHERE m.subscription = s.id AND m.generation = s.generation) AS p;
COMMENT ON VIEW _kvs.subscription_place IS
'Where durable subscriptions are: all up to pos is acknowledged or set aside; needed: what they may ask for again lies behind it';

CREATE VIEW kvs.subscriptions WITH (security_barrier) AS
SELECT s.name, s.pattern,
       CASE WHEN s.branch_id IS NULL THEN '*' ELSE (SELECT b.name FROM _kvs.branch AS b WHERE b.id = s.branch_id
                                                    UNION ALL
                                                    SELECT 'main' WHERE s.branch_id = 1 AND NOT EXISTS (SELECT FROM _kvs.branch)) END AS branch,
       p.pos, behind.events AS lag_events,
       CASE WHEN behind.since IS NULL THEN interval '0' ELSE clock_timestamp() - behind.since END AS lag_time,
       in_hand.events AS in_flight, aside.parked, aside.held, in_hand.members,
       s.operations, s.max_deliveries, CASE WHEN s.holds_key THEN 'hold_key' ELSE 'skip' END AS on_park, s.max_in_flight, s.creator, s.created_at
FROM _kvs.subscription AS s
JOIN _kvs.subscription_place AS p USING (id)
CROSS JOIN LATERAL (SELECT coalesce(sum(t.last_pos - greatest(t.first_pos - 1, p.pos)), 0)::bigint AS events, min(t.at) AS since
                    FROM _kvs.tick AS t WHERE t.last_pos > p.pos) AS behind
CROSS JOIN LATERAL (SELECT count(DISTINCT l.pos) AS events,
                           count(DISTINCT m.member) FILTER (WHERE l.pos IS NOT NULL OR m.seen_at > clock_timestamp() - interval '1 minute') AS members
                    FROM _kvs.subscription_member AS m
                    LEFT JOIN LATERAL _kvs.member_leases(m.state) AS l ON l.lease_until > clock_timestamp()
                    WHERE m.subscription = s.id AND m.generation = s.generation) AS in_hand
CROSS JOIN LATERAL (SELECT count(e.parked_at) AS parked, count(*) - count(e.parked_at) AS held
                    FROM _kvs.subscription_event AS e WHERE e.subscription = s.id AND e.generation = s.generation) AS aside
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.subscriptions IS
'Durable subscriptions. branch: * for all, NULL if it is gone. pos: all events up to there are acknowledged, set aside or do not match.
lag_events, lag_time: how many events of the stream lie behind it, whether they match or not, and for how long the first of them has.
in_flight: events in the hands of members. parked: see kvs.parked; held: events set aside that are not parked, as those that wait for a
parked one. members: those that have events or have polled within the last minute.
Example: SELECT name, lag_events, lag_time, in_flight, parked FROM kvs.subscriptions;';

-- Bindings of native tables

CREATE FUNCTION kvs.bind_table(
    name text, pattern text, target regclass, mapping jsonb, direction text DEFAULT 'to_table', conflict text DEFAULT 'last_write_wins',
    initial_load text DEFAULT 'none', branch text DEFAULT NULL)
RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_bind_table';
COMMENT ON FUNCTION kvs.bind_table IS
'Binds the keys of a branch that match a pattern to the rows of a table: a background worker brings what is changed on one side to the
other, in the direction given. The role that binds must own the table and may write the store, which is read and written as that role.
Always true.
Arguments: name. pattern: with a {name} for each level that identifies the row. target: a table or partitioned table; the columns of the
{names}, or of {key}, have to be those of its primary key or of a unique index. mapping: an object with a member for each column: a path
into the document ("/a/b"), a level ("{name}"), the whole key ("{key}"), or an object with "path" and "default" (for documents without the
path), "key" and "path" (the document at another key with the same {names}), or "value" (a constant). direction: to_table, from_table,
both. conflict: what is done where both sides have changed since they were equal last: last_write_wins, store_wins, table_wins, or error,
which parks the key. initial_load: what is brought over that is there already: none, to_table (entries), from_table (rows). branch.
A missing path is the default, that of the column, or NULL; JSON null is NULL, but in columns of json and jsonb stays JSON null. Rows that
fail are parked (kvs.parked) and hold their key (kvs.binding_on_park), all others go on.
Errors: 42501 the table is somebody else''s; 42809 it cannot be bound; 42703 unknown column; 42710 the name exists; 42704 unknown branch;
22023 what does not fit the table; 22004; 25006.
Example: CREATE TABLE account (id int PRIMARY KEY, owner text, plan text);
         SELECT kvs.bind_table(''accounts'', ''account:{id}'', ''account'', ''{"id": "{id}", "owner": "/owner", "plan": "/plan"}'');';

CREATE FUNCTION kvs.unbind_table(name text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_unbind_table';
COMMENT ON FUNCTION kvs.unbind_table IS
'Ends a binding; table and entries stay as they are. False if there is none of that name. Who created it may, who has that role''s
privileges, and the owner of the extension.
Arguments: name.
Errors: 42501; 22004; 25006.
Example: SELECT kvs.unbind_table(''accounts'');';

CREATE FUNCTION kvs.pause_binding(name text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_pause_binding';
COMMENT ON FUNCTION kvs.pause_binding IS
'Lets a binding rest until kvs.resume_binding; what is changed meanwhile is kept for it. When the transaction is committed nothing of it
runs any more. Always true.
Arguments: name.
Errors: 42501, 42704 unknown name; 22004; 25006.
Example: SELECT kvs.pause_binding(''accounts'');';

CREATE FUNCTION kvs.resume_binding(name text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_resume_binding';
COMMENT ON FUNCTION kvs.resume_binding IS
'Lets a binding go on that was paused, by kvs.pause_binding or because the table was altered, with the table as it is now, and tries again
what is parked. Where the events that it has missed are no longer kept, all is loaded again. Always true.
Arguments: name.
Errors: those of kvs.bind_table if the table does not fit; 42501, 42704 unknown name; 22004; 25006.
Example: SELECT kvs.resume_binding(''accounts'');';

CREATE FUNCTION kvs.binding_trigger() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'kvs_binding_trigger';
COMMENT ON FUNCTION kvs.binding_trigger IS
'The trigger of bound tables, which kvs.bind_table creates: notes which rows were changed, for the binding whose number is its argument.
It needs no privilege and waits for nobody.';

CREATE VIEW _kvs.binding_place AS
SELECT n.id, p.pos
FROM _kvs.binding AS n
CROSS JOIN LATERAL (SELECT p.pos FROM _kvs.binding_progress AS p WHERE p.binding = n.id ORDER BY p.round DESC LIMIT 1) AS p
WHERE n.direction <> 'from_table';
COMMENT ON VIEW _kvs.binding_place IS 'What bindings need of the stream lies behind pos';

CREATE VIEW kvs.bindings WITH (security_barrier) AS
SELECT n.name, n.pattern,
       (SELECT b.name FROM _kvs.branch AS b WHERE b.id = n.branch_id
        UNION ALL
        SELECT 'main' WHERE n.branch_id = 1 AND NOT EXISTS (SELECT FROM _kvs.branch)) AS branch,
       n.target, n.mapping, n.direction, n.conflict,
       CASE WHEN n.is_paused THEN 'paused' WHEN p.load IS NOT NULL THEN 'loading' ELSE 'active' END AS state,
       n.reason, p.pos, behind.events AS lag_events,
       CASE WHEN marks.events > 0 OR behind.since IS NOT NULL THEN clock_timestamp() - least(behind.since, marks.since)
            ELSE interval '0' END AS lag_time,
       marks.events AS marks, parked.keys AS parked, p.written, p.returned, p.conflicts, p.applied_at,
       parked.last AS last_error, n.creator, n.created_at
FROM _kvs.binding AS n
CROSS JOIN LATERAL (SELECT * FROM _kvs.binding_progress AS p WHERE p.binding = n.id ORDER BY p.round DESC LIMIT 1) AS p
CROSS JOIN LATERAL (SELECT coalesce(sum(t.last_pos - greatest(t.first_pos - 1, p.pos)), 0)::bigint AS events, min(t.at) AS since
                    FROM _kvs.tick AS t WHERE t.last_pos > p.pos AND n.direction <> 'from_table') AS behind
CROSS JOIN LATERAL (SELECT count(*) AS events, min(m.at) AS since
                    FROM (SELECT at FROM _kvs.binding_mark WHERE binding = n.id
                          UNION ALL
                          SELECT greatest(stored_at, changed_at) FROM _kvs.binding_held WHERE binding = n.id) AS m) AS marks
CROSS JOIN LATERAL (SELECT count(*) AS keys, max(k.reason) FILTER (WHERE k.is_last) AS last
                    FROM (SELECT reason, parked_at = max(parked_at) OVER () AS is_last FROM _kvs.binding_parked WHERE binding = n.id) AS k)
                   AS parked
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.bindings IS
'Bindings of native tables. branch: NULL if it is gone. state: active, loading, paused, and reason, why. pos: all events up to there are in
the table. lag_events, lag_time: how many events of the stream lie behind it, whether they match or not, and for how long the first of
these, or of the marks, has waited. marks: changes of rows that have not been dealt with. parked: keys, see kvs.parked; last_error: why
the last one was. written: rows that were written or deleted; returned: entries; conflicts: keys that both sides had changed.
Example: SELECT name, state, reason, lag_events, parked FROM kvs.bindings;';

CREATE VIEW kvs.parked WITH (security_barrier) AS
SELECT s.name, e.pos, e.key, e.reason, e.sqlstate, e.deliveries, e.parked_at
FROM _kvs.subscription AS s
JOIN _kvs.subscription_event AS e ON e.subscription = s.id AND e.generation = s.generation
WHERE e.parked_at IS NOT NULL AND _kvs.guard_read()
UNION ALL
SELECT b.name, p.pos, p.key, p.reason, p.sqlstate, p.events, p.parked_at
FROM _kvs.binding AS b
JOIN _kvs.binding_parked AS p ON p.binding = b.id
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.parked IS
'Events of durable subscriptions that were parked, by kvs.park or after max_deliveries, and keys at which bindings have failed.
kvs.event(pos) shows one, kvs.replay_parked puts them back. pos: NULL where the row of a binding was changed, and not the entry. sqlstate:
of the error, where one was the reason and is known. deliveries: how often it was handed out; of a binding, how many events of the key
have come.
Example: SELECT name, pos, key, reason, deliveries FROM kvs.parked ORDER BY parked_at;';

-- Background workers

CREATE FUNCTION kvs.start_workers() RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_start_workers';
COMMENT ON FUNCTION kvs.start_workers IS
'Starts the background workers of this database: true if they run, or begin to. With preloading the server does so by itself
(kvs.sequencer), unless kvs.stop_workers() was called; without it they run until the server ends.
Errors: 53400 no background worker is free.
Example: SELECT kvs.start_workers();';

CREATE FUNCTION kvs.stop_workers() RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'kvs_stop_workers';
COMMENT ON FUNCTION kvs.stop_workers IS
'Ends the background workers of this database when this transaction is committed, until kvs.start_workers() is called. Writers go on;
what they write gets its place in the stream later. Always true.
Example: SELECT kvs.stop_workers();';

CREATE VIEW kvs.workers WITH (security_barrier) AS
SELECT k.name, a.pid,
       CASE WHEN a.pid IS NOT NULL AND a.state = 'active' THEN 'active' WHEN a.pid IS NOT NULL THEN 'idle'
            WHEN s.is_stopped THEN 'stopped' ELSE 'not running' END AS state,
       CASE k.name WHEN 'sequencer' THEN t.last_pos WHEN 'bindings' THEN f.pos ELSE w.pos END AS pos,
       CASE k.name
            WHEN 'sequencer' THEN
                (SELECT count(*) FROM _kvs.change AS c
                 WHERE c.seq >= coalesce(t.low_seq, 0) AND (t.snapshot IS NULL OR NOT pg_visible_in_snapshot(c.xid, t.snapshot)))
            WHEN 'bindings' THEN coalesce(f.lag, 0)
            ELSE (SELECT coalesce(sum(u.last_pos - greatest(u.first_pos - 1, w.pos)), 0)::bigint
                  FROM _kvs.tick AS u WHERE u.last_pos > coalesce(w.pos, 0))
       END AS lag,
       w.last_error, w.last_error_at
FROM (VALUES ('sequencer'::text), ('maintenance'), ('bindings')) AS k (name)
LEFT JOIN LATERAL (SELECT last_pos, low_seq, snapshot FROM _kvs.tick ORDER BY last_pos DESC LIMIT 1) AS t ON true
LEFT JOIN _kvs.worker AS w ON w.name = k.name
LEFT JOIN LATERAL (SELECT min(b.pos) AS pos, max(b.lag_events) AS lag FROM kvs.bindings AS b WHERE b.direction <> 'from_table' AND b.state <> 'paused')
    AS f ON k.name = 'bindings'
LEFT JOIN _kvs.worker AS s ON s.name = 'sequencer'
LEFT JOIN pg_stat_activity AS a ON a.backend_type = 'kvs ' || k.name AND a.datname = current_database()
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs.workers IS
'The background workers of this database: the sequencer, which gives committed changes their positions in the stream, and maintenance,
which follows the stream, deletes what expires, flushes what piles up and commits from time to time (kvs.set_branch_option); and bindings,
which writes bound tables. state: active, idle, stopped (by kvs.stop_workers()), not running. pos: the position that it has come to, of
bindings the one that is furthest behind; lag: how many committed changes have no position yet; how many events the others have not seen.
last_error: why it last began anew.
Example: SELECT name, state, pos, lag FROM kvs.workers;';

/* ---------------------------------------------------------------------------------------------------------
 * 6. What other stores call
 *
 * kvs.fetch, push, pull and clone of another database call these as the role that they connect as, which needs
 * nothing but its privileges on kvs.entries. A schema of its own, because _kvs is closed and kvs is for people.
 * Each change of what a function means raises the number that protocol() answers.
 * ------------------------------------------------------------------------------------------------------ */

CREATE SCHEMA kvs_remote;
COMMENT ON SCHEMA kvs_remote IS 'What kvs of other databases calls (kvs.fetch, kvs.push). Not an interface: use schema kvs.';

CREATE FUNCTION kvs_remote.protocol() RETURNS int
LANGUAGE SQL IMMUTABLE PARALLEL SAFE COST 1
RETURN 1;
COMMENT ON FUNCTION kvs_remote.protocol IS 'Number of the protocol that this schema is. Example: SELECT kvs_remote.protocol();';

CREATE VIEW kvs_remote.refs WITH (security_barrier) AS
SELECT false AS is_tag, b.name, b.head, NULL::text AS message, NULL::text AS tagger, NULL::timestamptz AS created_at
FROM (SELECT name, head FROM _kvs.branch
      UNION ALL
      SELECT 'main', _kvs.initial_commit() WHERE NOT EXISTS (SELECT FROM _kvs.branch)) AS b
WHERE _kvs.guard_read()
UNION ALL
SELECT true, t.name, t.commit_hash, t.message, t.tagger, t.created_at
FROM _kvs.tag AS t
WHERE _kvs.guard_read();
COMMENT ON VIEW kvs_remote.refs IS 'Branches and tags. Example: SELECT name, head FROM kvs_remote.refs WHERE NOT is_tag;';

CREATE FUNCTION kvs_remote.commits(wanted bytea[], max_rows int) RETURNS SETOF bytea
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_remote_commits';
COMMENT ON FUNCTION kvs_remote.commits IS
'Encoded commits: those wanted, by hash, and ancestors of theirs, of the highest generations first.
Arguments: wanted; max_rows. An answer also ends after 8 MB.
Errors: XX001 a commit that is missing, 22023, 22004.
Example: SELECT length(kvs_remote.commits(ARRAY[head], 10)) FROM kvs_remote.refs;';

CREATE FUNCTION kvs_remote.chunks(addresses bytea[]) RETURNS SETOF bytea
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 1000
AS 'MODULE_PATHNAME', 'kvs_remote_chunks';
COMMENT ON FUNCTION kvs_remote.chunks IS
'Frames of chunks in the order of the addresses, at least one; the answer ends after 8 MB.
Arguments: addresses.
Errors: XX001 a chunk that is missing or damaged, 22023, 22004.
Example: SELECT length(kvs_remote.chunks(ARRAY[decode(root, ''hex'')])) FROM kvs.log() LIMIT 1;';

CREATE FUNCTION kvs_remote.known_commits(hashes bytea[]) RETURNS SETOF bytea
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_remote_known_commits';
COMMENT ON FUNCTION kvs_remote.known_commits IS
'Those of the commits that are here with all that they reach.
Arguments: hashes.
Errors: 22023, 22004.
Example: SELECT encode(kvs_remote.known_commits(ARRAY[head]), ''hex'') FROM kvs_remote.refs;';

CREATE FUNCTION kvs_remote.missing_chunks(addresses bytea[]) RETURNS SETOF bytea
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100
AS 'MODULE_PATHNAME', 'kvs_remote_missing_chunks';
COMMENT ON FUNCTION kvs_remote.missing_chunks IS
'Those of the chunks that are not here.
Arguments: addresses.
Errors: 22023, 22004.
Example: SELECT encode(kvs_remote.missing_chunks(ARRAY[sha256(''x'')]), ''hex'');';

CREATE FUNCTION kvs_remote.receive_chunks(frames bytea[]) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_remote_receive_chunks';
COMMENT ON FUNCTION kvs_remote.receive_chunks IS
'Verifies and stores chunks, and returns how many.
Arguments: frames.
Errors: XX001 a damaged frame, 22004, 25006.
Example: SELECT kvs_remote.receive_chunks(''{}'');';

CREATE FUNCTION kvs_remote.receive_commits(commits bytea[]) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000
AS 'MODULE_PATHNAME', 'kvs_remote_receive_commits';
COMMENT ON FUNCTION kvs_remote.receive_commits IS
'Stores commits, once all that they refer to is found to be here, and returns how many.
Arguments: commits, encoded, parents before their children.
Errors: 55000 a parent or a chunk is missing, XX001 a malformed commit or tree, 22004, 25006.
Example: SELECT kvs_remote.receive_commits(''{}'');';

CREATE FUNCTION kvs_remote.move_branch(branch text, head bytea, force boolean) RETURNS bytea
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_remote_move_branch';
COMMENT ON FUNCTION kvs_remote.move_branch IS
'Moves a branch to a commit that is here, or creates it; returns the hash of the commit that it stood on, NULL if it is new.
Arguments: branch; head; force, also over commits and uncommitted work that the branch has.
Errors: 55000 no step forward, uncommitted work, or a commit that is missing, 55P03 the branch is busy, 22023, 22004, 25006.
Example: SELECT kvs_remote.move_branch(''feature'', head, false) FROM kvs_remote.refs WHERE name = ''main'';';

CREATE FUNCTION kvs_remote.place_tag(name text, head bytea, message text, tagger text, created_at timestamptz, force boolean) RETURNS bytea
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'kvs_remote_place_tag';
COMMENT ON FUNCTION kvs_remote.place_tag IS
'Takes over a tag of a commit that is here; returns the hash of the commit that it stood at, NULL if it is new.
Arguments: name; head; message; tagger; created_at; force, also where it stands at another commit.
Errors: 55000 it stands at another commit, or a commit that is missing, 42710 a branch of that name, 22023, 22004, 25006.
Example: SELECT kvs_remote.place_tag(''v1'', head, NULL, ''ada'', now(), false) FROM kvs_remote.refs WHERE name = ''main'';';


/* ---------------------------------------------------------------------------------------------------------
 * 7. Privileges
 *
 * Anyone may call; the access guard decides by the privileges on kvs.entries, which nobody but the owner has
 * at first. _kvs stays closed: its functions are reached through those of kvs, which are bound to them.
 * ------------------------------------------------------------------------------------------------------ */

GRANT USAGE ON SCHEMA kvs TO PUBLIC;
GRANT SELECT ON kvs.snapshots, kvs.branches, kvs.tags, kvs.reflog TO PUBLIC;
GRANT SELECT ON kvs.stashes, kvs.merge_policies TO PUBLIC;
GRANT SELECT, UPDATE ON kvs.conflicts TO PUBLIC;
GRANT SELECT ON kvs.hooks TO PUBLIC;

-- Maintenance that deletes for good.
REVOKE EXECUTE ON FUNCTION kvs.gc(boolean), kvs.repair() FROM PUBLIC;
GRANT SELECT ON kvs.gc_progress TO PUBLIC;
GRANT SELECT ON kvs.workers, kvs.subscriptions, kvs.bindings, kvs.parked TO PUBLIC;
REVOKE EXECUTE ON FUNCTION kvs.start_workers(), kvs.stop_workers() FROM PUBLIC;

-- What many watch, few may begin anew.
GRANT SELECT ON kvs.stat_operations, kvs.operation_log TO PUBLIC;
REVOKE EXECUTE ON FUNCTION kvs.reset_stats() FROM PUBLIC;

-- A store that others may fetch from and push to, as far as the guard lets them.
GRANT USAGE ON SCHEMA kvs_remote TO PUBLIC;
GRANT SELECT ON kvs.remotes, kvs.remote_branches, kvs_remote.refs TO PUBLIC;
-- That the server opens connections is a privilege of its own.
REVOKE EXECUTE ON FUNCTION kvs.add_remote, kvs.drop_remote, kvs.fetch, kvs.push, kvs.pull, kvs.clone FROM PUBLIC;
