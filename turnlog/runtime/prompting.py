"""From the log to a model's request, read on from where the last step's reading ended."""

from __future__ import annotations

from uuid import UUID

from turnlog.domain.model import ItemCompleted, ModelRequest
from turnlog.domain.ports import BlobStore, EventStore
from turnlog.domain.tools import ToolSpec
from turnlog.domain.turn import RunningTurn
from turnlog.domain.values import Model
from turnlog.projections.prompt import blobs_named, prompt
from turnlog.runtime.aside import kept
from turnlog.runtime.reading import Facts, read_facts


class Prompter:
    """Makes the requests of one turn's steps, of what was kept of those before."""

    def __init__(self, store: EventStore, blobs: BlobStore, conversation_id: UUID) -> None:
        self._store = store
        self._blobs = blobs
        self._conversation_id = conversation_id
        self._facts: Facts = []
        self._contents: dict[str, bytes] = {}

    async def kept(self, item: ItemCompleted) -> ItemCompleted:
        """The item as its event can hold it, for a later request to be given back whole."""
        return await kept(item, self._blobs, self._conversation_id)

    async def request(self, turn: RunningTurn, tools: tuple[ToolSpec, ...]) -> ModelRequest:
        """The request of the turn's next step."""
        after = self._facts[-1][0] if self._facts else 0
        new = await read_facts(self._store, self._conversation_id, after=after)
        settings = turn.settings
        model = Model(
            model_provider_id=settings.model_provider_id,
            model_provider_api=settings.model_provider_api,
            model=settings.model,
        )
        for sha256 in blobs_named((fact for _, fact in new), model):
            if sha256 not in self._contents:
                blob = await self._blobs.get(self._conversation_id, sha256)
                self._contents[sha256] = b"" if blob is None else blob.data
        self._facts += new
        return ModelRequest(
            model=model,
            items=prompt(self._facts, model, self._contents),
            instructions=settings.instructions,
            tools=tools,
            reasoning=settings.reasoning,
            max_output_tokens=settings.max_output_tokens,
            temperature=settings.temperature,
        )
