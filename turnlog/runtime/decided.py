"""What letters make together: one draft, and of each letter what it made, or its refusal."""

from __future__ import annotations

import structlog

from turnlog.domain.errors import TurnlogError
from turnlog.domain.records import AnswerRecord, Append
from turnlog.runtime.letters import Letter
from turnlog.runtime.standing import Draft, Standing

log = structlog.get_logger(__name__)


class Decided:
    """The decision of some letters upon a standing."""

    def __init__(self, standing: Standing, letters: list[Letter]) -> None:
        self.draft = Draft(standing)
        self.records: list[tuple[Letter, AnswerRecord]] = []
        self._made: list[tuple[Letter, int, int]] = []
        self._refused: list[tuple[Letter, Exception]] = []
        for letter in letters:
            self._decide(letter)

    def append(self) -> Append:
        """All of it for the journal, with the answers to letters that came under a key."""
        after = self.draft.written()
        self.records = [
            (letter, letter.record((after, self.draft.entries[first:end])))
            for letter, first, end in self._made
            if letter.record is not None and first < end
        ]
        return self.draft.append(tuple(record for _, record in self.records))

    def answer(self, standing: Standing) -> None:
        """Tell everyone who waits; what was made is on disk, and left this standing."""
        for letter, first, end in self._made:
            letter.accept((standing, self.draft.entries[first:end]))
        for letter, refusal in self._refused:
            letter.refuse(refusal)

    def _decide(self, letter: Letter) -> None:
        first = len(self.draft.entries)
        try:
            self.draft.add(letter.whole())
        except Exception as refusal:
            if not isinstance(refusal, TurnlogError):
                log.exception("actor.failed", conversation_id=str(self.draft.conversation_id))
            self._refused.append((letter, refusal))
        else:
            self._made.append((letter, first, len(self.draft.entries)))
