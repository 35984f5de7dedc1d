"""Turns that are nobody's: those of lost nodes are taken over, those that rest too long ended."""

from __future__ import annotations

import structlog

from turnlog.domain import commands
from turnlog.domain.commands import Command
from turnlog.domain.errors import StoreUnavailable, TurnSuperseded
from turnlog.domain.ports import Clock
from turnlog.domain.records import TurnRow
from turnlog.runtime.actors import Actors

log = structlog.get_logger(__name__)


class Unowned:
    """Sees to such turns, each unless another node does so first."""

    def __init__(self, actors: Actors, clock: Clock, node: str) -> None:
        self._actors = actors
        self._clock = clock
        self._node = node

    async def take_over(self, turn: TurnRow) -> None:
        """Resume the turn here."""
        command = commands.ResumeTurn(
            at=self._clock.now(), turn_id=turn.turn_id, attempt=turn.attempt, node=self._node
        )
        if await self._done(turn, command):
            log.info("turn.taken_over", turn_id=str(turn.turn_id), attempt=turn.attempt + 1)

    async def expire(self, turn: TurnRow) -> None:
        """End the turn, which has rested for too long."""
        command = commands.ExpireTurn(at=self._clock.now(), turn_id=turn.turn_id, node=self._node)
        if await self._done(turn, command):
            log.info("turn.expired", turn_id=str(turn.turn_id))

    async def _done(self, turn: TurnRow, command: Command) -> bool:
        try:
            await self._actors.of(turn.conversation_id).ask(command)
        except TurnSuperseded:
            return False
        except StoreUnavailable:
            log.warning("turn.waits_for_the_store", turn_id=str(turn.turn_id))
            return False
        except Exception:
            log.exception("unowned.failed", turn_id=str(turn.turn_id))
            return False
        return True
