-- Native tables bound to keys: what a column takes from an entry, what comes back, who wins, what is parked.
\set SHOW_CONTEXT never
\set VERBOSITY terse
SELECT kvs.start_workers();
SELECT kvs.create_branch('bind', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'bind';
SET timezone = 'UTC';
-- Until a binding has nothing to do: all that was committed is in the table, and the other way round.
CREATE PROCEDURE settle(binding text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM kvs.wait_for(timeout => '60s');
    FOR i IN 1 .. 6000 LOOP
        PERFORM FROM kvs.bindings WHERE name = binding AND (state = 'paused' OR state = 'active' AND lag_events = 0 AND marks = 0);
        EXIT WHEN FOUND;
        PERFORM pg_sleep(0.01);
        COMMIT;
    END LOOP;
END
$$;
CREATE FUNCTION error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' / ', SQLSTATE, SQLERRM, nullif(hint, ''));
END
$$;

-- What does not fit is refused when it is bound.
CREATE TABLE plain (id int PRIMARY KEY, v text);
CREATE VIEW plain_view AS SELECT * FROM plain;
CREATE TABLE keyless (id int, v text);
CREATE TABLE nullable (id int UNIQUE, v text);
CREATE TABLE strict (id int PRIMARY KEY, v text, needed int NOT NULL, given int NOT NULL DEFAULT 7);
CREATE TABLE made (id int PRIMARY KEY, v text, twice text GENERATED ALWAYS AS (v || v) STORED, seq int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child () INHERITS (parent);
CREATE TEMP TABLE passing (id int PRIMARY KEY, v text);
CREATE FUNCTION bind(target text, mapping text, pattern text DEFAULT 'p:{id}', direction text DEFAULT 'to_table') RETURNS text LANGUAGE sql AS
$$ SELECT error_of(format('SELECT kvs.bind_table(%L, %L, %L, %L, %L)', 'bad', pattern, target, mapping, direction)) $$;
SELECT bind('plain_view', '{"id": "{id}", "v": "/v"}');
SELECT bind('keyless', '{"id": "{id}", "v": "/v"}');
SELECT bind('nullable', '{"id": "{id}", "v": "/v"}');
SELECT bind('strict', '{"id": "{id}", "v": "/v"}');
SELECT bind('strict', '{"id": "{id}", "v": "/v"}', direction => 'from_table');
SELECT bind('made', '{"id": "{id}", "twice": "/v"}');
SELECT bind('made', '{"id": "{id}", "seq": "/v"}');
SELECT bind('parent', '{"id": "{id}", "v": "/v"}', direction => 'both');
SELECT bind('passing', '{"id": "{id}", "v": "/v"}');
SELECT bind('pg_catalog.pg_class', '{"oid": "{id}"}');
SELECT bind('plain', '{"id": "{id}", "nothing": "/v"}');
SELECT bind('plain', '{"v": "/v"}');
SELECT bind('plain', '{"id": "{id}", "v": "{id}"}');
SELECT bind('plain', '{"id": "{other}", "v": "/v"}');
SELECT bind('plain', '{"id": "{id}", "v": "v"}');
SELECT bind('plain', '{"id": "{id}", "v": 1}');
SELECT bind('plain', '{"id": "{id}", "v": {"default": 1}}');
SELECT bind('plain', '{"id": "{id}", "v": {"path": "/v", "also": 1}}');
SELECT bind('plain', '{"id": "{id}", "v": {"value": 1, "path": "/v"}}');
SELECT bind('plain', '{"id": "{id}", "v": {"key": "q:{other}", "path": "/v"}}');
SELECT bind('plain', '{"id": "{id}", "v": {"key": "q:{id}", "path": "/v"}}', direction => 'both');
SELECT bind('plain', '[]');
SELECT bind('plain', '{"id": "{id}", "v": {"path": "v"}}');
SELECT bind('plain', '{"id": "{key}", "v": "{id}"}');
SELECT bind('plain', '{"id": "{key}", "v": "/v"}', 'p:{key}');
SELECT bind('plain', '{"id": "{id}", "v": "/v"}', ':p/{id}');
SELECT bind('plain', '{"id": "/id", "v": "/v"}', 'p:+');
SELECT bind('plain', '{"id": "{key}", "v": "/v"}', 'p:{id}/#') IS NULL AS answered;
SELECT kvs.unbind_table('bad');
SELECT bind('plain', '{"id": "{id}", "v": "/v"}', 'p:{id}/#');
SELECT bind('plain', '{"id": "{id}", "v": "/v"}', direction => 'sideways');
SELECT error_of($$SELECT kvs.bind_table('bad', 'p:{id}', 'plain', '{"id": "{id}"}', conflict => 'mine')$$);
SELECT error_of($$SELECT kvs.bind_table('bad', 'p:{id}', 'plain', '{"id": "{id}"}', initial_load => 'from_table')$$);
SELECT error_of($$SELECT kvs.bind_table('bad', 'p:{id}', 'plain', '{"id": "{id}"}', branch => 'nobody')$$);
SELECT error_of($$SELECT kvs.bind_table('', 'p:{id}', 'plain', '{"id": "{id}"}')$$);
SELECT error_of($$SELECT kvs.bind_table(NULL, 'p:{id}', 'plain', '{"id": "{id}"}')$$);
SELECT error_of($$SELECT kvs.bind_table('bad', 'p:{id}', NULL, '{"id": "{id}"}')$$);
SELECT kvs.create_subscription('taken') IS NOT NULL AS created;
SELECT error_of($$SELECT kvs.bind_table('taken', 'p:{id}', 'plain', '{"id": "{id}", "v": "/v"}')$$);
SELECT kvs.drop_subscription('taken');
SELECT error_of($$SELECT kvs.pause_binding('bad')$$), error_of($$SELECT kvs.resume_binding('bad')$$), kvs.unbind_table('bad');

-- To a table: types, what is missing and what is null, defaults, constants, other keys.
CREATE TABLE person (
    org text, id int, name varchar(10), born timestamptz, price numeric(8, 2), exact numeric, tags text[], extra jsonb, doc json,
    plan text DEFAULT 'free', city text, theme text, source text, PRIMARY KEY (id, org));
SELECT kvs.put('acme/{' || n || '}/x:y', '{}') IS NOT NULL AS other FROM generate_series(1, 2) AS n;
SELECT kvs.put('acme/people:1', '{"name": "ada", "born": "2020-01-02T03:04:05+02:00", "price": 12.345, "exact": 1.10, "tags": ["a", "b"], "extra": {"k": [1]}, "address": {"city": "Rome"}}');
SELECT kvs.put('acme/themes:1', '{"theme": "dark"}');
SELECT kvs.bind_table('people', '{org}/people:{id}', 'person',
    '{"org": "{org}", "id": "{id}", "name": "/name", "born": "/born", "price": "/price", "exact": "/exact", "tags": "/tags", "extra": "/extra", "doc": "",
      "plan": "/plan", "city": {"path": "/address/city", "default": "?"}, "theme": {"key": "{org}/themes:{id}", "path": "/theme"}, "source": {"value": "kvs"}}',
    initial_load => 'to_table');
SELECT error_of($$SELECT kvs.bind_table('people', 'p:{id}', 'plain', '{"id": "{id}"}')$$);
SELECT kvs.put('acme/people:2', '{"name": null, "extra": null, "plan": null, "address": {"city": null}}');
SELECT kvs.put('a%2Fb/people:3', '{}');
CALL settle('people');
SELECT org, id, name, born, price, exact, tags, extra, plan, city, theme, source FROM person ORDER BY id;
SELECT id, doc FROM person ORDER BY id;
SELECT kvs.put('acme/themes:1', '{"theme": "light"}'), kvs.put('acme/themes:2', '{"theme": "blue"}'), kvs.put('acme/themes:9', '{"theme": "of nobody"}');
SELECT kvs.delete('acme/people:2'), kvs.patch('acme/people:1', '{"name": "Ada"}'), kvs.put('acme/people:4', '{"name": "now"}', ttl => '1h');
CALL settle('people');
SELECT org, id, name, theme FROM person ORDER BY id;
-- What cannot be written is parked with its reason, and holds nothing but its key.
SELECT kvs.put('acme/people:5', '{"name": "far too long for it"}'), kvs.put('acme/people:6', '{"born": "yesterday or so"}'), kvs.put('acme/people:7', '{"name": "fine"}');
SELECT kvs.put('acme/people:x', '{}'), kvs.put('acme/people:08', '{}'), kvs.put('acme/people/8', '{}'), kvs.put_bytes('acme/people:9', '\x00');
CALL settle('people');
SELECT org, id, name FROM person WHERE id > 4 ORDER BY id;
SELECT key, reason, sqlstate, pos IS NOT NULL AS has_pos FROM kvs.parked WHERE name = 'people' ORDER BY key;
SELECT kvs.put('acme/people:5', '{"name": "shorter"}'), kvs.put('acme/people:6', '{"born": "2021-01-01"}');
CALL settle('people');
SELECT key, deliveries FROM kvs.parked WHERE name = 'people' AND key IN ('acme/people:5', 'acme/people:6') ORDER BY key;
SELECT kvs.replay_parked('people', 'acme/people:5'), kvs.replay_parked('people', 'acme/people:5');
CALL settle('people');
SELECT id, name FROM person WHERE id IN (5, 6);
SELECT kvs.delete('acme/people:x'), kvs.delete('acme/people:08'), kvs.delete('acme/people/8'), kvs.put('acme/people:9', '{"name": "no bytes"}');
SELECT kvs.resume_binding('people');
CALL settle('people');
SELECT key, reason FROM kvs.parked WHERE name = 'people' ORDER BY key;
SELECT id, name, born FROM person WHERE id IN (6, 9) ORDER BY id;
-- A table that is altered pauses it; what is not in the mapping is nobody's concern.
ALTER TABLE person ADD COLUMN note text;
SELECT kvs.put('acme/people:10', '{"name": "ten"}');
CALL settle('people');
ALTER TABLE person ALTER COLUMN name TYPE text;
SELECT kvs.put('acme/people:11', '{"name": "longer than ten characters"}');
CALL settle('people');
SELECT state, reason FROM kvs.bindings WHERE name = 'people';
SELECT kvs.resume_binding('people');
CALL settle('people');
SELECT id, name FROM person WHERE id > 9 ORDER BY id;
ALTER TABLE person RENAME COLUMN theme TO colours;
SELECT kvs.put('acme/people:12', '{"name": "twelve"}');
CALL settle('people');
SELECT state, reason FROM kvs.bindings WHERE name = 'people';
SELECT error_of($$SELECT kvs.resume_binding('people')$$);
ALTER TABLE person RENAME COLUMN colours TO theme;
SELECT kvs.resume_binding('people');
SELECT kvs.pause_binding('people');
SELECT state, reason FROM kvs.bindings WHERE name = 'people';
SELECT kvs.resume_binding('people');
CALL settle('people');
SELECT count(*) FROM person WHERE id = 12;
DROP TABLE person;
SELECT kvs.put('acme/people:13', '{}');
CALL settle('people');
SELECT state, reason FROM kvs.bindings WHERE name = 'people';
SELECT kvs.unbind_table('people'), kvs.unbind_table('people');

-- Both ways.
CREATE TABLE account (id text PRIMARY KEY, owner text, n int DEFAULT 0, extra jsonb, seen timestamptz, total int GENERATED ALWAYS AS (n * 2) STORED);
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.owner := lower(NEW.owner); RETURN NEW; END $$;
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION tidy();
INSERT INTO account (id, owner) VALUES ('old', 'someone'), ('a/b', 'has no key');
SELECT kvs.bind_table('accounts', 'account:{id}', 'account', '{"id": "{id}", "owner": "/owner", "n": "/n", "extra": "/extra", "seen": "/at/seen"}',
    direction => 'both', initial_load => 'from_table');
CALL settle('accounts');
SELECT key, value FROM kvs.entries WHERE key LIKE 'account:%' ORDER BY key;
SELECT kvs.put('account:1', '{"owner": "ADA", "rest": [1], "at": {"first": 1}}');
CALL settle('accounts');
SELECT id, owner, n, extra, seen, total FROM account ORDER BY id;
SELECT value FROM kvs.entries WHERE key = 'account:1';
SELECT version, op, origin, value FROM kvs.history('account:1');
UPDATE account SET n = 5, extra = 'null', seen = '2020-01-01' WHERE id = '1';
CALL settle('accounts');
SELECT value FROM kvs.entries WHERE key = 'account:1';
UPDATE account SET extra = NULL, owner = NULL WHERE id = '1';
CALL settle('accounts');
SELECT value FROM kvs.entries WHERE key = 'account:1';
-- An update that changes nothing makes no version; a new key is another entry.
UPDATE account SET n = n WHERE id = '1';
UPDATE account SET id = 'new' WHERE id = 'old';
INSERT INTO account SELECT 'many' || i, 'x' || i FROM generate_series(1, 3) AS i;
BEGIN;
INSERT INTO account VALUES ('rolled back');
SAVEPOINT s;
DELETE FROM account WHERE id = 'many1';
ROLLBACK TO s;
ROLLBACK;
CALL settle('accounts');
SELECT key, version, value ->> 'owner' AS owner FROM kvs.entries WHERE key LIKE 'account:%' ORDER BY key;
\copy account (id, owner) FROM stdin
copied	Copied
\.
DELETE FROM account WHERE id = 'many1';
CALL settle('accounts');
SELECT key, value FROM kvs.entries WHERE key IN ('account:copied', 'account:many1');
TRUNCATE account;
CALL settle('accounts');
SELECT count(*) FROM kvs.entries WHERE key LIKE 'account:%';
SELECT written, returned, conflicts, parked FROM kvs.bindings WHERE name = 'accounts';
-- The trigger marks, and that is all; no privilege is needed for it.
CREATE ROLE regress_kvs_teller;
GRANT ALL ON account TO regress_kvs_teller;
SET ROLE regress_kvs_teller;
INSERT INTO account (id, owner) VALUES ('teller', 'T');
RESET ROLE;
CALL settle('accounts');
SELECT value FROM kvs.entries WHERE key = 'account:teller';
SELECT kvs.binding_trigger();
-- A trigger that suppresses rows, and one that changes others.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.owner = 'refused' THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.account SET n = NEW.n WHERE id = NEW.id || '-copy'; RETURN NULL; END $$;
CREATE TRIGGER follow AFTER UPDATE ON account FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION follow();
SELECT kvs.put('account:5', '{"owner": "refused"}'), kvs.put('account:6', '{"owner": "six", "n": 1}'), kvs.put('account:6-copy', '{"owner": "copy", "n": 1}');
CALL settle('accounts');
SELECT kvs.patch('account:6', '{"n": 2}');
CALL settle('accounts');
SELECT id, owner, n FROM account WHERE id LIKE '_' OR id LIKE '6%' ORDER BY id;
SELECT key, value FROM kvs.entries WHERE key LIKE 'account:6%' ORDER BY key;
SELECT key, reason, sqlstate FROM kvs.parked WHERE name = 'accounts';
SELECT kvs.unbind_table('accounts');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'account'::regclass AND tgname LIKE 'kvs%';
SELECT count(*) FROM _kvs.binding_base;

-- Who wins where both sides have changed.
CREATE TABLE score (id text PRIMARY KEY, n int);
CREATE PROCEDURE both_change(policy text, later text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM kvs.bind_table('scores', 'score:{id}', 'score', '{"id": "{id}", "n": "/n"}', direction => 'both', conflict => policy);
    COMMIT;
    PERFORM kvs.put('score:a', '{"n": 0}'), kvs.put('score:b', '{"n": 0}');
    COMMIT;
    CALL settle('scores');
    PERFORM kvs.pause_binding('scores');
    COMMIT;
    IF later = 'table' THEN
        PERFORM kvs.put('score:a', '{"n": 1}'), kvs.delete('score:b');
        COMMIT;
    END IF;
    UPDATE score SET n = 2;
    COMMIT;
    IF later = 'store' THEN
        PERFORM kvs.put('score:a', '{"n": 1}'), kvs.delete('score:b');
        COMMIT;
    END IF;
    PERFORM kvs.resume_binding('scores');
    COMMIT;
    CALL settle('scores');
    RAISE NOTICE '% with the % later: store %, table %, conflicts and parked %', policy, later,
        (SELECT jsonb_object_agg(key, value -> 'n') FROM kvs.entries WHERE key LIKE 'score:%'),
        (SELECT jsonb_object_agg(id, n) FROM score), (SELECT (conflicts, parked) FROM kvs.bindings WHERE name = 'scores');
    PERFORM kvs.unbind_table('scores');
    DELETE FROM score;
    PERFORM kvs.delete('score:a'), kvs.delete('score:b');
    COMMIT;
END
$$;
CALL both_change('last_write_wins', 'table');
CALL both_change('last_write_wins', 'store');
CALL both_change('store_wins', 'table');
CALL both_change('table_wins', 'store');
CALL both_change('error', 'store');
-- One way, but minding what stands in the table.
SELECT kvs.bind_table('guarded', 'score:{id}', 'score', '{"id": "{id}", "n": "/n"}', conflict => 'table_wins');
SELECT kvs.put('score:a', '{"n": 1}'), kvs.put('score:b', '{"n": 1}');
CALL settle('guarded');
UPDATE score SET n = 100 WHERE id = 'a';
SELECT kvs.put('score:a', '{"n": 2}'), kvs.put('score:b', '{"n": 2}');
CALL settle('guarded');
SELECT * FROM score ORDER BY id;
SELECT kvs.unbind_table('guarded');

-- The whole key as a column, and partitions, of which some come later.
CREATE TABLE event (key text NOT NULL, kind text, PRIMARY KEY (key)) PARTITION BY RANGE (key);
CREATE TABLE event_a PARTITION OF event FOR VALUES FROM (MINVALUE) TO ('event:m');
SELECT kvs.bind_table('events', 'event:#', 'event', '{"key": "{key}", "kind": "/kind"}', direction => 'both');
SELECT kvs.put('event:a/1', '{"kind": "x"}'), kvs.put('event:z/1', '{"kind": "no partition"}');
CALL settle('events');
SELECT * FROM event;
SELECT key, sqlstate FROM kvs.parked WHERE name = 'events';
CREATE TABLE event_z (key text NOT NULL PRIMARY KEY, kind text);
INSERT INTO event_z VALUES ('event:z/2', 'was there');
ALTER TABLE event ATTACH PARTITION event_z FOR VALUES FROM ('event:m') TO (MAXVALUE);
SELECT kvs.resume_binding('events');
CALL settle('events');
INSERT INTO event VALUES ('event:z/3', 'new'), ('other', 'outside of the pattern');
UPDATE event_a SET kind = 'y';
CALL settle('events');
SELECT key, value FROM kvs.entries WHERE key LIKE 'event:%' ORDER BY key;
TRUNCATE event_z;
CALL settle('events');
SELECT key, value FROM kvs.entries WHERE key LIKE 'event:%' ORDER BY key;
ALTER TABLE event DETACH PARTITION event_a;
SELECT kvs.put('event:z/4', '{}');
CALL settle('events');
SELECT key, value FROM kvs.entries WHERE key LIKE 'event:%' ORDER BY key;
SELECT kvs.unbind_table('events');

-- Elements of arrays: by their index, which is no name of a member, and not to be taken out.
CREATE TABLE element (id text PRIMARY KEY, first jsonb, negative jsonb, padded jsonb);
SELECT kvs.bind_table('elements', 'element:{id}', 'element', '{"id": "{id}", "first": "/a/0", "negative": "/a/-1", "padded": "/a/01"}', direction => 'both');
SELECT kvs.put('element:array', '{"a": [1, 2]}'), kvs.put('element:object', '{"a": {"0": 3, "-1": 4, "01": 5}}');
CALL settle('elements');
SELECT * FROM element ORDER BY id;
UPDATE element SET first = NULL;
CALL settle('elements');
SELECT key, value FROM kvs.entries WHERE key LIKE 'element:%' ORDER BY key;
SELECT key, reason, sqlstate FROM kvs.parked WHERE name = 'elements';
UPDATE element SET first = 'null';
SELECT kvs.resume_binding('elements');
CALL settle('elements');
SELECT key, value FROM kvs.entries WHERE key LIKE 'element:%' ORDER BY key;
SELECT kvs.unbind_table('elements');

-- What is loaded is newer than the events that tell of it: no row is made older by them.
CREATE TABLE counted (id int PRIMARY KEY, n int);
CREATE TABLE went_back (id int);
CREATE FUNCTION forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.n < OLD.n THEN INSERT INTO public.went_back VALUES (NEW.id); END IF; RETURN NULL; END $$;
CREATE TRIGGER forward AFTER UPDATE ON counted FOR EACH ROW EXECUTE FUNCTION forward();
BEGIN;
SELECT kvs.bind_table('counted', 'counted:{id}', 'counted', '{"id": "{id}", "n": "/n"}', initial_load => 'to_table');
SELECT kvs.pause_binding('counted');
COMMIT;
SELECT count(kvs.put('counted:' || i, '{"n": 1}')) FROM generate_series(1, 1500) AS i;
SELECT count(kvs.put('counted:' || i, '{"n": 2}')) FROM generate_series(1, 1500) AS i;
SELECT count(kvs.put('counted:' || i, '{"n": 3}')) FROM generate_series(1, 1500) AS i;
SELECT kvs.resume_binding('counted');
CALL settle('counted');
SELECT n, count(*) FROM counted GROUP BY n;
SELECT count(*) FROM went_back;
SELECT kvs.unbind_table('counted');

-- Constraints that are deferred, and rows that depend on one another.
CREATE TABLE node (id int PRIMARY KEY, above int REFERENCES node DEFERRABLE INITIALLY DEFERRED);
SELECT kvs.bind_table('nodes', 'node:{id}', 'node', '{"id": "{id}", "above": "/above"}');
SELECT kvs.put('node:1', '{"above": 2}'), kvs.put('node:2', '{"above": null}'), kvs.put('node:3', '{"above": 9}');
CALL settle('nodes');
SELECT * FROM node ORDER BY id;
SELECT key, sqlstate FROM kvs.parked WHERE name = 'nodes';
SELECT kvs.put('node:9', '{}');
CALL settle('nodes');
SELECT kvs.resume_binding('nodes');
CALL settle('nodes');
SELECT * FROM node ORDER BY id;

-- Whose they are.
CREATE ROLE regress_kvs_other;
GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO regress_kvs_other;
SET ROLE regress_kvs_other;
SELECT kvs.bind_table('other', 'p:{id}', 'plain', '{"id": "{id}"}');
SELECT kvs.unbind_table('nodes');
SELECT kvs.pause_binding('nodes');
SELECT kvs.resume_binding('nodes');
RESET ROLE;
-- The target is written as its owner, the store as the creator.
CREATE SCHEMA others AUTHORIZATION regress_kvs_other;
SET ROLE regress_kvs_other;
CREATE TABLE others.own (id int PRIMARY KEY, who text, v text DEFAULT 'v');
CREATE FUNCTION others.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.who := current_user; RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT ON others.own FOR EACH ROW EXECUTE FUNCTION others.note();
SELECT kvs.bind_table('own', 'own:{id}', 'others.own', '{"id": "{id}", "who": "/who", "v": "/v"}', direction => 'both');
RESET ROLE;
SELECT kvs.put('own:1', '{}');
CALL settle('own');
SELECT * FROM others.own;
SELECT value, modified_by FROM kvs.entries WHERE key = 'own:1';
REVOKE INSERT ON kvs.entries FROM regress_kvs_other;
INSERT INTO others.own (id) VALUES (2);
CALL settle('own');
SELECT state, reason FROM kvs.bindings WHERE name = 'own';
SELECT kvs.unbind_table('own'), kvs.unbind_table('nodes');
SELECT count(*) FROM kvs.bindings;
SELECT count(*) AS left_over FROM _kvs.binding_progress;

SELECT type, detail FROM kvs.check() WHERE severity = 'error';
DROP SCHEMA others CASCADE;
DROP OWNED BY regress_kvs_other, regress_kvs_teller;
DROP ROLE regress_kvs_other, regress_kvs_teller;
DROP TABLE counted, went_back, plain, keyless, nullable, strict, made, parent, account, score, event, event_a, element, node CASCADE;
DROP PROCEDURE settle, both_change;
DROP FUNCTION error_of, bind, tidy, refuse, follow, forward;
RESET kvs.branch;
