"""Projections built anew from the log: what comes out is what was there, or should have been."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.domain import ask
from tests.domain.moves import Move, deed
from tests.http.server import Ports, memory_ports, node_on, postgres_ports
from tests.store.conftest import EMPTY, execute
from tests.store.given import Writer, written
from tests.store.ledger import Ledger, MemoryTable, Table, postgres_table
from turnlog.adapters.postgres import Postgres, open_postgres
from turnlog.domain.errors import NotFound, ProjectionStopped, TurnlogError
from turnlog.domain.ports import EventStore
from turnlog.domain.records import FedEntry, InlineKind, TurnRow
from turnlog.runtime.inline_rebuild import rebuild_inline
from turnlog.runtime.moves import Moves
from turnlog.runtime.parts import Parts
from turnlog.runtime.projectors import Projectors
from turnlog.runtime.rebuilding import INLINE, rebuild
from turnlog.runtime.standing import Draft, unborn

ROWS = {
    "conversations": "SELECT * FROM conversations ORDER BY bucket, conversation_id",
    "turns": "SELECT * FROM turns ORDER BY bucket, turn_id",
}
DAMAGES = [
    "UPDATE conversations SET status = 'odd'",
    "UPDATE conversations SET tags = '{x}', agent_role = 'x', document = '{}'",
    "UPDATE conversations SET tenant_id = 'nobody', deleted = NOT deleted",
    "UPDATE conversations SET updated_at = 1",
    "DELETE FROM conversations",
    "INSERT INTO conversations SELECT created_at, updated_at, gen_random_uuid(), bucket, deleted, "
    "tenant_id, status, agent_role, tags, document FROM conversations",
    "UPDATE turns SET status = 'odd', node = 'nowhere'",
    "UPDATE turns SET last_offset = NULL, attempt = 99",
    "UPDATE turns SET first_offset = 77",
    "UPDATE turns SET conversation_id = gen_random_uuid()",
    "DELETE FROM turns",
    "INSERT INTO turns SELECT first_offset, last_offset, gen_random_uuid(), conversation_id, "
    "attempt, bucket, status, node FROM turns",
    "INSERT INTO turns SELECT first_offset, last_offset, gen_random_uuid(), gen_random_uuid(), "
    "attempt, bucket, status, node FROM turns",
]

moves = st.builds(
    Move, choice=st.integers(0, 999_999), text=st.text(max_size=6), lag=st.integers(-3, 5)
)


def quiet(done: int, whole: int) -> None:
    assert 0 <= done <= whole


async def lived(store: EventStore, some: Sequence[Move]) -> None:
    """A conversation whose life these moves were, written as an actor writes it."""
    standing = unborn(ask.CONVERSATION, b"secret", "acme")
    now = ask.NOW
    for number, move in enumerate([None, *some]):
        draft = Draft(standing)
        try:
            if move is None:
                draft.add(ask.create(tags=("a", "b")))
            else:
                now += move.lag
                done = deed(move, standing.state, now, number)
                if done is not None:
                    draft.add(done)
        except TurnlogError:
            continue
        if draft.entries:
            bucket = ask.CONVERSATION.bytes[-1] % store.buckets
            assert await store.append(bucket, [draft.append()]) == [True]
            standing = draft.written()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    some=st.lists(moves, min_size=10, max_size=50),
    damages=st.lists(st.sampled_from(DAMAGES), max_size=3),
)
async def test_rows_that_are_rebuilt_are_those_that_were_written_with_the_events(
    postgres: Postgres, database_url: str, some: list[Move], damages: list[str]
) -> None:
    await execute(database_url, EMPTY)
    await lived(postgres.store, some)
    admin = await asyncpg.connect(database_url)
    inline = {kind: await admin.fetch(rows) for kind, rows in ROWS.items()}
    for kind in INLINE:
        assert await rebuild_inline(postgres.store, postgres.inline_rows, kind, quiet) == 0
    for damage in damages:
        await admin.execute(damage)
    damaged = {kind: await admin.fetch(rows) for kind, rows in ROWS.items()}
    for kind in INLINE:
        changed = await rebuild_inline(postgres.store, postgres.inline_rows, kind, quiet)
        assert bool(changed) == (damaged[kind] != inline[kind])
        assert await admin.fetch(ROWS[kind]) == inline[kind]
    await admin.close()


@settings(max_examples=30, deadline=None)
@given(some=st.lists(moves, min_size=10, max_size=50))
async def test_in_memory_they_are_the_same_too(some: list[Move]) -> None:
    parts = node_on(memory_ports()).parts
    await lived(parts.store, some)
    store: Any = parts.store
    conversations, turns = dict(store._conversations), dict(store._turns)
    for kind in INLINE:
        assert await rebuild_inline(parts.store, parts.inline_rows, kind, quiet) == 0
    store._conversations.clear()
    store._turns = {
        turn_id: replace(turn, status="odd", conversation_id=turn_id)
        for turn_id, turn in turns.items()
    }
    for kind in INLINE:
        await rebuild_inline(parts.store, parts.inline_rows, kind, quiet)
    assert (store._conversations, store._turns) == (conversations, turns)


@pytest.mark.parametrize("kind", INLINE)
async def test_what_moves_while_it_is_folded_is_folded_again(
    kind: InlineKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = node_on(memory_ports()).parts
    await lived(parts.store, [])
    store: Any = parts.store
    read = parts.store.read
    standing = unborn(ask.CONVERSATION, b"secret", "acme")
    draft = Draft(standing)
    draft.add(ask.create(tags=("a", "b")))
    more = Draft(draft.written())
    more.add(ask.submit())
    pending = [more.append()]

    async def read_while_others_write(*args: Any, **kwargs: Any) -> Any:
        entries = await read(*args, **kwargs)
        if pending:
            bucket = ask.CONVERSATION.bytes[-1] % store.buckets
            assert await store.append(bucket, [pending.pop()]) == [True]
        return entries

    monkeypatch.setattr(store, "read", read_while_others_write)
    assert await rebuild_inline(parts.store, parts.inline_rows, kind, quiet) == 0
    listed = await parts.views.conversation(ask.CONVERSATION)
    assert listed is not None
    assert listed.row.status == "running"
    assert isinstance(await parts.views.turn(ask.TURN), TurnRow)


@pytest.fixture(params=["memory", "postgres"])
async def built(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Ports, Table]]:
    """A store's ports, and a table for a projection beside it."""
    if request.param == "memory":
        yield memory_ports(), MemoryTable()
        return
    url: str = request.getfixturevalue("database_url")
    async with open_postgres(url) as postgres, postgres_table(url) as table:
        yield postgres_ports(postgres), table


def projectors(parts: Parts, ledger: Ledger) -> Projectors:
    moves = Moves(parts.store.buckets)
    return Projectors([ledger], parts.checkpoints, parts.generations, parts.store, moves)


async def generations(parts: Parts) -> dict[int, bool]:
    """Those that there are, and whether each is read."""
    return {one.generation: one.current for one in await parts.checkpoints.checkpoints()}


async def test_a_projection_is_built_beside_the_old_one_which_then_goes(
    built: tuple[Ports, Table],
) -> None:
    ports, table = built
    parts, ledger = node_on(ports).parts, Ledger(table)
    node, writer = projectors(parts, ledger), Writer()
    seen: list[int] = []

    async def meanwhile(found: Sequence[FedEntry]) -> None:
        """Others write, and the servers keep feeding what is read."""
        if len(seen) < 3:
            seen.append(len(found))
            await written(parts.store, writer, b"more")
            await projectors(parts, Ledger(table)).settle()

    await written(parts.store, writer, b"1", b"2")
    await written(parts.store, Writer(3), b"1")
    await node.settle()
    wrong = Ledger(table, between=meanwhile)
    await rebuild(parts, projectors(parts, wrong), "ledger", quiet)

    assert await generations(parts) == {2: True}
    assert await table.lines(0, 1) == []
    await node.settle()
    assert await ledger.positions(0, 2) == list(range(1, 2 + len(seen) + 1))
    assert await ledger.positions(3, 2) == [1]


async def test_what_cannot_be_rebuilt_is_left_as_it_is(built: tuple[Ports, Table]) -> None:
    ports, table = built
    parts, ledger, writer = node_on(ports).parts, Ledger(table), Writer()
    await written(parts.store, writer, b"1", b"2")
    node = projectors(parts, ledger)
    await node.settle()

    async def fail(found: Sequence[FedEntry]) -> None:
        raise ValueError("no more of this")

    with pytest.raises(ProjectionStopped, match="no more of this"):
        await rebuild(parts, projectors(parts, Ledger(table, between=fail)), "ledger", quiet)
    assert await generations(parts) == {1: True}
    assert await table.lines(0, 2) == []
    await written(parts.store, writer, b"3")
    await node.settle()
    assert await ledger.positions() == [1, 2, 3]


async def test_a_rebuild_that_was_broken_off_leaves_nothing_to_the_next(
    built: tuple[Ports, Table],
) -> None:
    ports, table = built
    parts, ledger, writer = node_on(ports).parts, Ledger(table), Writer()
    await written(parts.store, writer, b"1")
    await projectors(parts, ledger).settle()

    async def cut(found: Sequence[FedEntry]) -> None:
        if sum(map(len, [await table.lines(0, 2), await table.lines(1, 2)])):
            raise asyncio.CancelledError

    await written(parts.store, Writer(1), b"1")
    with pytest.raises(asyncio.CancelledError):
        await rebuild(parts, projectors(parts, Ledger(table, between=cut)), "ledger", quiet)
    assert await generations(parts) == {1: True, 2: False}
    await rebuild(parts, projectors(parts, ledger), "ledger", quiet)
    assert await generations(parts) == {3: True}
    assert await table.lines(0, 2) == await table.lines(0, 1) == []
    assert await ledger.positions(0, 3) == await ledger.positions(1, 3) == [1]


async def test_the_older_of_two_rebuilds_gives_up(built: tuple[Ports, Table]) -> None:
    ports, table = built
    parts, ledger = node_on(ports).parts, Ledger(table)
    await written(parts.store, Writer(), b"1")

    async def another(found: Sequence[FedEntry]) -> None:
        ledger.between = nothing
        await parts.generations.renew("ledger")

    async def nothing(found: Sequence[FedEntry]) -> None:
        pass

    await projectors(parts, ledger).settle()
    ledger.between = another
    with pytest.raises(ProjectionStopped, match="another rebuild"):
        await rebuild(parts, projectors(parts, ledger), "ledger", quiet)
    assert await generations(parts) == {1: True, 3: False}


async def test_what_there_is_not_cannot_be_rebuilt() -> None:
    parts = node_on(memory_ports()).parts
    with pytest.raises(NotFound, match="no projection 'x'"):
        await rebuild(parts, projectors(parts, Ledger(MemoryTable())), "x", quiet)
