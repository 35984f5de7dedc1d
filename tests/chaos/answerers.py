"""Clients that run what they are asked to, and persons who consent or do not: some twice."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from tests.chaos.callers import Caller
from tests.chaos.diary import Answering

IGNORED = 0.04
LATER = 0.3
SENT_TWICE = 0.2
TWO_OF_THEM = 0.2
DECISIONS = ("allow", "allow", "allowForTurn", "deny", "edit")


class Answerer:
    """Looks for turns that wait, and gives what they want, by way of any node."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._chance = caller.chance
        self._diary = caller.diary
        self._begun: set[tuple[str, str, str]] = set()

    async def answer(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._chance.uniform(0.05, 0.4))
                for turn in await self._waiting():
                    for call in turn["requiredAction"]["calls"]:
                        self._see(group, turn, call)

    async def _waiting(self) -> list[Any]:
        """The turns that wait, as far as some node can be asked."""
        listed = await self._caller.get("/conversations?status=requires_action&limit=100")
        turns: list[Any] = []
        for conversation in [] if listed is None else listed["conversations"]:
            path = f"/conversations/{conversation['conversationId']}/turns?limit=20"
            page = await self._caller.get(path)
            turns += [] if page is None else page["turns"]
        return [turn for turn in turns if turn["requiredAction"]]

    def _see(self, group: asyncio.TaskGroup, turn: Any, call: Any) -> None:
        """Answer the call, now or the next time; now and then never, or as two at once."""
        seen = (turn["turnId"], call["callId"], call["kind"])
        if seen in self._begun or self._chance.random() < LATER:
            return
        self._begun.add(seen)
        if self._chance.random() < IGNORED:
            return
        for _ in range(2 if self._chance.random() < TWO_OF_THEM else 1):
            group.create_task(self._give(turn, call))

    async def _give(self, turn: Any, call: Any) -> None:
        token = f"%{uuid.UUID(int=self._chance.getrandbits(128))}%"
        answering = Answering(
            conversation_id=turn["conversationId"],
            turn_id=turn["turnId"],
            call_id=call["callId"],
            kind=call["kind"],
            token=token,
        )
        self._diary.answerings.append(answering)
        given = self._result if call["kind"] == "result" else self._decision
        path, body = given(call, token)
        key = str(uuid.UUID(int=self._chance.getrandbits(128)))
        sendings = 2 if self._chance.random() < SENT_TWICE else 1
        for status, told in await asyncio.gather(
            *(
                self._caller.insist(f"/turns/{answering.turn_id}/{path}", body, key)
                for _ in range(sendings)
            )
        ):
            answering.statuses.add(status)
            if status != 202 and (status, told["error"]["code"]) != (409, "CALL_NOT_OPEN"):
                self._diary.surprise(f"answer {token}: {status}", told)

    def _result(self, call: Any, token: str) -> tuple[str, Any]:
        words = " ".join(["warm"] * self._chance.randint(0, 200))
        status = self._chance.choice(["ok", "ok", "error"])
        result = {"callId": call["callId"], "output": f"{token} {words}", "status": status}
        return "tool-results", {"results": [result]}

    def _decision(self, call: Any, token: str) -> tuple[str, Any]:
        word = self._chance.choice(DECISIONS)
        decision = {"callId": call["callId"], "decision": word, "reason": token}
        if word == "edit":
            arguments = (
                {"filePath": "glossary.md"} if call["name"] == "readFile" else {"to": "Rome"}
            )
            decision |= {"decision": "allow", "arguments": arguments}
        return "approvals", {"decisions": [decision], "by": "chaos"}
