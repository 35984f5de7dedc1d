"""Members of a request against the types that they should have: all that is wrong, at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo

from turnlog.domain.codec import well_formed
from turnlog.domain.errors import InvalidInput
from turnlog.http.texts import first_flaw

MAX_TOLD = 50

S = TypeVar("S", bound=Struct)
_WORDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_PLACE = re.compile(r"(?P<problem>.*?)(?: - at (?P<name>`key` in )?`\$(?P<path>.*)`)?", re.DOTALL)


class MemberProblem(Struct, frozen=True):
    """What is wrong with one member."""

    member: str
    problem: str


def valid(kind: type[S], members: Mapping[str, Any], *, immutable: Collection[str] = ()) -> S:
    """The members as a request of that kind; raises `InvalidInput`, which names every problem.

    `immutable` are members that do exist, but cannot be asked for unless the kind has them.
    """
    fields = _fields(kind)
    values: dict[str, Any] = {}
    problems = [
        MemberProblem(name, "cannot be changed" if name in immutable else "is no member of this")
        for name in members
        if name not in fields
    ]
    for name, field in fields.items():
        if name in members:
            try:
                values[field.name] = msgspec.convert(members[name], field.type)
                if found := first_flaw(name, members[name]):
                    problems.append(MemberProblem(*found))
            except msgspec.ValidationError as error:
                problems.append(_problem(name, str(error)))
            except RecursionError:
                problems.append(MemberProblem(name, "is nested too deeply"))
        elif field.required:
            problems.append(MemberProblem(name, "is missing"))
    if problems:
        raise invalid(problems)
    return kind(**values)


def invalid(problems: Sequence[MemberProblem]) -> InvalidInput:
    """The refusal that has every problem in its message and in `details.errors`."""
    told = [
        MemberProblem(well_formed(each.member[:120]), each.problem) for each in problems[:MAX_TOLD]
    ]
    message = "; ".join(f"{each.member}: {each.problem}" for each in told)
    return InvalidInput(message=f"The request is not valid: {message}.", errors=told)


@cache
def _fields(kind: type[Struct]) -> dict[str, FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _problem(member: str, message: str) -> MemberProblem:
    """msgspec's message in the words of JSON."""
    found = _PLACE.fullmatch(message)
    assert found is not None
    problem = re.sub(r"`([^`]*)`", _plain, found["problem"])
    problem = problem[:1].lower() + problem[1:]
    if found["name"]:
        problem += " as a name"
    return MemberProblem(member + (found["path"] or ""), problem)


def _plain(quoted: re.Match[str]) -> str:
    return re.sub(r"\w+", lambda word: _WORDS.get(word[0], word[0]), quoted[1])
