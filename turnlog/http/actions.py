"""Answers to what a turn wants of others: results of their tools, and a person's consent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from aiohttp import web

from turnlog.domain.commands import CallDecision, CallResult
from turnlog.http import parameters
from turnlog.http.once import OnceEach, Posted
from turnlog.http.requests import Approvals, Decision, ToolResults, stored_arguments
from turnlog.http.turns import stands
from turnlog.http.validation import MemberProblem, invalid, valid
from turnlog.runtime import queries
from turnlog.runtime.application import Turnlog


class Actions:
    """How a turn that rests goes on."""

    def __init__(self, turnlog: Turnlog, once_each: OnceEach) -> None:
        self._turnlog = turnlog
        self._once_each = once_each
        self._parts = turnlog.parts

    def routes(self) -> Sequence[web.RouteDef]:
        """Where these are reached, below the API's root."""
        return [
            web.post("/turns/{turnId}/tool-results", self._once_each.handler(self.provide)),
            web.post("/turns/{turnId}/approvals", self._once_each.handler(self.decide)),
        ]

    async def provide(self, request: web.Request, posted: Posted) -> web.Response:
        """The results of calls that the caller has run; all are taken, or none."""
        turn_id = parameters.turn_id(request)
        given = valid(ToolResults, posted.members())
        _check_named_once("results", [result.call_id for result in given.results])
        results = [
            CallResult(call_id=each.call_id, output=each.output, status=each.status)
            for each in given.results
        ]
        row = await queries.turn_row(self._parts, turn_id)
        return stands(await self._turnlog.provide(row, results, once=posted.once(stands)))

    async def decide(self, request: web.Request, posted: Posted) -> web.Response:
        """What a person says of calls; all of it is taken, or nothing."""
        turn_id = parameters.turn_id(request)
        given = valid(Approvals, posted.members())
        _check_named_once("decisions", [decision.call_id for decision in given.decisions])
        decisions = [_decision(number, each) for number, each in enumerate(given.decisions)]
        row = await queries.turn_row(self._parts, turn_id)
        return stands(
            await self._turnlog.decide_calls(row, decisions, given.by, once=posted.once(stands))
        )


def _decision(number: int, given: Decision) -> CallDecision:
    arguments = None
    if given.arguments is not None:
        member = f"decisions[{number}].arguments"
        if given.decision == "deny":
            problem = "cannot be given with the decision 'deny': the call will not run"
            raise invalid([MemberProblem(member, problem)])
        arguments = stored_arguments(member, given.arguments)
    return CallDecision(
        call_id=given.call_id, verdict=given.decision, reason=given.reason, arguments=arguments
    )


def _check_named_once(member: str, call_ids: Iterable[str]) -> None:
    twice = [call_id for call_id, times in Counter(call_ids).items() if times > 1]
    if twice:
        raise invalid([MemberProblem(member, f"names the call '{twice[0][:80]}' twice")])
