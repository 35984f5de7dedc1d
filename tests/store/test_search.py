"""What is found, in memory and in PostgreSQL: by its words, best first, page by page."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from tests.domain import fact
from tests.domain.ask import TURN
from tests.store.conftest import Stores
from tests.store.given import Writer, written
from tests.store.test_scaling_rules import plan_of
from turnlog.adapters.postgres import Postgres, UnknownLanguage, open_postgres
from turnlog.adapters.postgres.search import search_query
from turnlog.domain.codec import encode
from turnlog.domain.events import Fact
from turnlog.domain.identity import blob_of
from turnlog.domain.records import ListQuery
from turnlog.domain.search import Found, Rank, SearchQuery
from turnlog.domain.values import TextPart
from turnlog.runtime.moves import Moves
from turnlog.runtime.projectors import Projectors
from turnlog.runtime.searching import SearchProjection


class Library:
    """Conversations that are written, and taken in by the projection."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        moves = Moves(stores.store.buckets)
        self._projectors = Projectors(
            (SearchProjection(stores.search_texts),),
            stores.checkpoints,
            stores.generations,
            stores.store,
            moves,
        )

    async def holds(self, *facts: Fact, writer: Writer | None = None, **row: Any) -> Writer:
        """A conversation with these facts (more of them, with its writer)."""
        here = writer or Writer()
        for each in facts:
            topic, state = encode(each)
            await written(self.stores.store, here, state, topic=topic, row=here.row(**row))
        await self._projectors.settle()
        return here

    async def find(
        self, words: str, limit: int = 10, after: Rank | None = None, **filters: Any
    ) -> list[Found]:
        listed = ListQuery(tenant_id="acme", limit=limit, **filters)
        return await self.stores.search.find(SearchQuery(words=words, listed=listed, after=after))

    async def ids(self, words: str, **filters: Any) -> list[Any]:
        return [each.rank.conversation_id for each in await self.find(words, **filters)]


@pytest.fixture
async def library(stores: Stores) -> Library:
    return Library(stores)


def shown(found: Found, number: int = 0) -> list[tuple[str, bool]]:
    return [(each.text, each.match) for each in found.excerpts[number].segments]


async def test_what_users_and_agents_say_is_found_with_where_it_stands(library: Library) -> None:
    here = await library.holds(
        fact.created(), fact.turn_queued(text="Where is the kettle?"), fact.turn_started(),
        fact.message_completed(4, "On the stove."),
    )  # fmt: skip
    await library.holds(fact.created(), fact.turn_queued(text="Nothing of the kind"))
    (found,) = await library.find("kettle")
    assert found.rank.conversation_id == here.conversation_id
    assert found.listed.offset == 4
    (excerpt,) = found.excerpts
    assert (excerpt.part, excerpt.offset, excerpt.turn_id) == ("user", 2, TURN)
    assert shown(found)[:2] == [("Where is the ", False), ("kettle", True)]
    (found,) = await library.find("stove")
    assert (found.excerpts[0].part, found.excerpts[0].offset) == ("assistant", 4)


async def test_a_title_counts_more_than_a_summary_and_that_more_than_a_message(
    library: Library,
) -> None:
    said = await library.holds(fact.created(), fact.turn_queued(text="tea"))
    summed = await library.holds(fact.created(summary="tea"))
    titled = await library.holds(fact.created(title="tea"))
    assert await library.ids("tea") == [
        titled.conversation_id, summed.conversation_id, said.conversation_id
    ]  # fmt: skip


async def test_all_words_have_to_stand_together(library: Library) -> None:
    here = await library.holds(fact.created(title="green tea and black coffee"))
    await library.holds(fact.created(title="green grass"), fact.turn_queued(text="tea"))
    assert await library.ids("green tea") == [here.conversation_id]
    assert await library.ids('"black coffee"') == [here.conversation_id]
    assert await library.ids('"coffee black"') == []
    assert await library.ids("green -tea") != [here.conversation_id]
    assert len(await library.ids("green -tea")) == 1


async def test_a_new_title_replaces_the_one_before(library: Library) -> None:
    here = await library.holds(fact.created(title="tea"))
    await library.holds(fact.updated(title="coffee"), writer=here)
    assert await library.ids("tea") == []
    assert await library.ids("coffee") == [here.conversation_id]
    await library.holds(fact.updated(title=None), writer=here)
    assert await library.ids("coffee") == []


async def test_what_was_superseded_is_found_no_more(library: Library) -> None:
    here = await library.holds(
        fact.created(), fact.turn_queued(text="Hello"), fact.message_completed(3, "first"),
        fact.message_completed(5, "second"), fact.attempt_superseded(4),
    )  # fmt: skip
    assert await library.ids("second") == []
    assert await library.ids("first") == [here.conversation_id]
    assert await library.ids("hello") == [here.conversation_id]


async def test_a_deleted_conversation_is_not_found(library: Library) -> None:
    here = await library.holds(fact.created(title="tea"))
    await library.holds(fact.deleted(), writer=here, deleted=True)
    assert await library.ids("tea") == []


async def test_filters_combine(library: Library) -> None:
    one = await library.holds(fact.created(title="tea"), tags=("a", "b"))
    other = await library.holds(fact.created(title="tea"), tags=("a",), agent_role="cook")
    assert set(await library.ids("tea", tags=("a",))) == {
        one.conversation_id, other.conversation_id
    }  # fmt: skip
    assert await library.ids("tea", tags=("b",)) == [one.conversation_id]
    assert await library.ids("tea", agent_role="cook") == [other.conversation_id]
    assert await library.ids("tea", status="running") == []


async def test_every_page_goes_on_where_the_one_before_ended(library: Library) -> None:
    writers = [
        await library.holds(fact.created(title="tea" if number % 3 else "tea and tea"))
        for number in range(11)
    ]
    everything = await library.ids("tea", limit=100)
    assert set(everything) == {writer.conversation_id for writer in writers}
    paged: list[Any] = []
    after = None
    while page := await library.find("tea", limit=3, after=after):
        paged += [each.rank.conversation_id for each in page]
        after = page[-1].rank
    assert paged == everything


async def test_a_long_text_beside_the_log_is_found(library: Library) -> None:
    here = Writer()
    blob = blob_of("text/plain", b"long story " * 20_000 + b"beginning")
    await library.stores.blobs.put(here.conversation_id, blob)
    queued = replace(fact.turn_queued(), content=(TextPart(blob=blob.sha256),))
    await library.holds(fact.created(), queued, writer=here)
    assert await library.ids("story") == [here.conversation_id]


@pytest.mark.parametrize(
    "words",
    ["", " ", "'", '"', "-", "& | ! ( ) :*", "a\0b", "half \ud800", "\\", "%", "the", "x" * 900],
)
async def test_any_words_can_be_looked_for(library: Library, words: str) -> None:
    await library.holds(fact.created(title="tea"))
    assert await library.ids(words) == []


@pytest.mark.parametrize("text", ["a\0b tea", "half \ud800 tea", "tea" + " word" * 200_000])
async def test_any_text_can_be_taken_in(library: Library, text: str) -> None:
    queued = fact.turn_queued(text=text.replace("\ud800", "\ufffd"))
    here = await library.holds(fact.created(), queued)
    assert await library.ids("tea") == [here.conversation_id]


async def test_each_tenant_finds_its_own(library: Library) -> None:
    await library.holds(fact.created(title="tea"))
    listed = ListQuery(tenant_id="other", limit=10)
    assert await library.stores.search.find(SearchQuery(words="tea", listed=listed)) == []


async def test_words_are_found_in_their_other_forms_in_the_language_that_is_set(
    postgres: Postgres,
) -> None:
    library = Library(Stores.of(postgres))
    here = await library.holds(fact.created(title="Running kettles"))
    assert await library.ids("kettle run") == [here.conversation_id]


async def test_a_language_that_the_database_does_not_know_is_refused(database_url: str) -> None:
    with pytest.raises(UnknownLanguage, match="english"):
        async with open_postgres(database_url, language="klingon"):
            pass


async def test_words_are_looked_up_in_their_index(
    postgres: Postgres, admin: asyncpg.Connection
) -> None:
    library = Library(Stores.of(postgres))
    for number in range(40):
        await library.holds(fact.created(title=f"kettle{number}"))
    await admin.execute("ANALYZE search_texts")
    query = SearchQuery(words="kettle7", listed=ListQuery(tenant_id="acme", limit=20))
    statement, arguments = search_query(query, "english")
    await admin.execute("SET enable_seqscan = off")
    assert "search_texts_by_word" in await plan_of(admin, statement, *arguments)
