-- The objects of schema kvs as Markdown: for each a line "@KIND NAME", and its section up to the next one. What a section
-- says is what the database says: signature, comment, columns, settings. See scripts/reference.sh.

-- The settings are there once the library is loaded.
SELECT kvs.current_branch() \g /dev/null

CREATE FUNCTION pg_temp.code(words text) RETURNS text LANGUAGE sql AS $$ SELECT '`' || words || '`' $$;

-- Running text in one line: names of schema kvs as code, nothing that Markdown would take for itself.
CREATE FUNCTION pg_temp.prose(words text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(
        regexp_replace(regexp_replace(trim(words), '\s+', ' ', 'g'), '([*<\\])', '\\\1', 'g'),
        '\mkvs\.\w+(\(\))?', '`\&`', 'g')
$$;

-- A part of a comment: what follows LABEL, up to the next label. Without a label what stands before the first one.
CREATE FUNCTION pg_temp.part(remark text, label text) RETURNS text LANGUAGE sql AS $$
    SELECT substr(part, length(label) + 1)
    FROM regexp_split_to_table(remark, '\n(?=(Arguments|Arguments and errors|Errors|Example): )') WITH ORDINALITY AS p (part, n)
    WHERE starts_with(part, label) AND (n = 1) = (label = '')
$$;

CREATE FUNCTION pg_temp.summary(remark text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.prose(pg_temp.part(remark, ''))
$$;

CREATE FUNCTION pg_temp.example(remark text) RETURNS text LANGUAGE sql AS $$
    SELECT E'\n@example\n```sql\n' || regexp_replace(pg_temp.part(remark, 'Example: '), '\n +', E'\n', 'g') || E'\n```\n'
$$;

-- Arguments are separated by semicolons, each begins with its name.
CREATE FUNCTION pg_temp.arguments(words text, names text[]) RETURNS text LANGUAGE sql AS $$
    SELECT E'\n**Arguments:** ' || string_agg(
        regexp_replace(argument, '\m(' || array_to_string(names, '|') || ')\M(?=,? |[,.]|$)', '`\1`',
                       CASE WHEN argument ~ '^\w+(, \w+,| and \w+)' THEN 'g' ELSE '' END),
        '; ' ORDER BY n) || E'\n'
    FROM regexp_split_to_table(pg_temp.prose(words), '; ') WITH ORDINALITY AS a (argument, n)
$$;

-- The SQLSTATEs as code.
CREATE FUNCTION pg_temp.errors(words text) RETURNS text LANGUAGE sql AS $$
    SELECT E'\n**Errors:** ' || regexp_replace(pg_temp.prose(words), '\m(?=\w*[0-9])([A-Z0-9]{5})\M', '`\1`', 'g') || E'\n'
$$;

CREATE FUNCTION pg_temp.with_unit(number text, unit text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN number = '2147483647' OR number = '1073741823' THEN 'no limit'
                WHEN number = '-1' THEN number
                WHEN unit = 'ms' AND number::int % 1000 = 0 AND number <> '0' THEN number::int / 1000 || ' s'
                WHEN unit = 'kB' AND number::int % 1024 = 0 THEN number::int / 1024 || ' MB'
                ELSE concat_ws(' ', number, unit) END
$$;

CREATE FUNCTION pg_temp.columns(relation oid) RETURNS text LANGUAGE sql AS $$
    SELECT E'\n**Columns:** ' || string_agg(format('`%s` %s', attname, replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz')), ', ' ORDER BY attnum) || E'\n'
    FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
$$;

SELECT '@function ' || p.proname || E'\n### kvs.' || p.proname || E'\n\n@signature '
       || replace(format('kvs.%s(%s)', p.proname, regexp_replace(pg_get_function_arguments(p.oid), '::[a-z \[\]]+', '', 'g')),
                  'timestamp with time zone', 'timestamptz')
       || CASE WHEN pg_get_function_result(p.oid) <> 'record' THEN ' → ' || pg_get_function_result(p.oid) ELSE '' END
       || E'\n\n' || pg_temp.summary(d.remark) || E'\n'
       || coalesce(pg_temp.arguments(pg_temp.part(d.remark, 'Arguments: '), p.proargnames), '')
       || coalesce(E'\n**Arguments and errors:** ' || pg_temp.prose(pg_temp.part(d.remark, 'Arguments and errors: ')) || E'\n', '')
       || coalesce(pg_temp.errors(pg_temp.part(d.remark, 'Errors: ')), '')
       || coalesce(pg_temp.example(d.remark), '')
FROM pg_proc AS p, LATERAL (SELECT obj_description(p.oid, 'pg_proc') AS remark) AS d
WHERE p.pronamespace = 'kvs'::regnamespace
ORDER BY p.proname;

SELECT '@view ' || c.relname || E'\n### kvs.' || c.relname || E'\n\n' || pg_temp.summary(d.remark) || E'\n'
       || pg_temp.columns(c.oid) || coalesce(pg_temp.example(d.remark), '')
FROM pg_class AS c, LATERAL (SELECT obj_description(c.oid, 'pg_class') AS remark) AS d
WHERE c.relnamespace = 'kvs'::regnamespace AND c.relkind IN ('v', 'f')
ORDER BY c.relname;

SELECT '@type ' || t.typname || E'\n### Type kvs.' || t.typname || E'\n\n' || pg_temp.summary(d.remark) || E'\n'
       || pg_temp.columns(t.typrelid)
FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'c',
     LATERAL (SELECT obj_description(t.oid, 'pg_type') AS remark) AS d
WHERE t.typnamespace = 'kvs'::regnamespace
ORDER BY t.typname;

SELECT E'@settings all\n| setting | default | values | may be set | what |\n|---|---|---|---|---|\n' || string_agg(
    format('| %s | %s | %s | %s | %s |', pg_temp.code(name),
           CASE WHEN boot_val = '' THEN 'empty' WHEN unit IS NULL THEN pg_temp.code(boot_val)
                ELSE pg_temp.code(pg_temp.with_unit(boot_val, unit)) END,
           CASE WHEN vartype = 'enum' THEN (SELECT string_agg(pg_temp.code(v), ', ') FROM unnest(enumvals) AS v)
                WHEN vartype = 'integer' THEN pg_temp.with_unit(min_val, unit) || ' to ' || pg_temp.with_unit(max_val, unit)
                ELSE vartype END,
           -- That of the node cache depends on how the library was loaded.
           CASE WHEN name = 'kvs.node_cache_size' THEN 'server start if preloaded, else any time'
                WHEN name = 'kvs.operation_log_size' THEN 'server start'
                WHEN context = 'user' THEN 'any time' WHEN context = 'sighup' THEN 'configuration, reload' ELSE context END,
           pg_temp.prose(concat_ws(' ', short_desc, extra_desc))), E'\n' ORDER BY name) || E'\n'
FROM pg_settings WHERE name LIKE 'kvs.%';
