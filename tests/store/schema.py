"""A database's schema as stable text, read from the catalogue.

After a new migration: `python -m tests.store.schema URL > tests/postgres/schema.sql`
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncpg

SNAPSHOT = Path(__file__).parent.parent / "postgres" / "schema.sql"

TABLES = """
SELECT format(E'TABLE %s%s -- %s', c.relname,
    ' WITH (' || array_to_string(c.reloptions, ', ') || ')', obj_description(c.oid, 'pg_class'))
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 't')
ORDER BY c.relname
"""
COLUMNS = """
SELECT format('COLUMN %s.%s %s%s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN ' NOT NULL' END,
    ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
    CASE WHEN a.attstorage <> t.typstorage THEN ' STORAGE ' || a.attstorage::text END)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
CONSTRAINTS = """
SELECT format('CONSTRAINT %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
ORDER BY conrelid::regclass::text, conname
"""
FUNCTIONS = """
SELECT pg_get_functiondef(oid) || ' -- ' || obj_description(oid, 'pg_proc')
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
ORDER BY proname
"""


async def schema_of(connection: asyncpg.Connection) -> str:
    """All tables, columns, indexes, constraints and functions."""
    lines: list[str] = []
    for query in (TABLES, COLUMNS, INDEXES, CONSTRAINTS, FUNCTIONS):
        lines += [line for (line,) in await connection.fetch(query)] + [""]
    return "\n".join(lines)


async def main(url: str) -> None:
    connection = await asyncpg.connect(url)
    sys.stdout.write(await schema_of(connection))
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
