"""The forms in which a log is sent, and which of them a client wants (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from aiohttp import web

Form = Literal["sse", "json", "ndjson"]
_FORMS: dict[str, Form] = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/json": "json",
}
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def form_of(request: web.Request, offered: Sequence[Form]) -> Form:
    """The form that `Accept` wants most, the first offered where any will do.

    Of those that it wants alike, the one named first; raises 406 where it wants none.
    """
    wanted = ",".join(request.headers.getall("Accept", [])).strip() or "*/*"
    named: dict[Form, float] = {}
    any_other = 0.0
    for kind, weight in map(_weighed, wanted.split(",")):
        form = _FORMS.get(kind)
        if form is not None and form in offered:
            named.setdefault(form, weight)
        elif kind in ("*/*", "application/*", "text/*"):
            any_other = max(any_other, weight)
    unnamed = [form for form in offered if form not in named]
    if unnamed and any_other > max(named.values(), default=0.0):
        return unnamed[0]
    best = max(named, key=lambda form: named[form], default=None)
    if best is not None and named[best] > 0:
        return best
    shown = ", ".join(kind for kind, form in _FORMS.items() if form in offered)
    raise web.HTTPNotAcceptable(text=f"The log is sent here as: {shown}.")


def _weighed(range_: str) -> tuple[str, float]:
    """A media range and its weight, which is 1 unless it says a number."""
    kind, *parameters = range_.split(";")
    weight = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q" and _WEIGHT.fullmatch(value.strip()):
            weight = float(value)
    return kind.strip().lower(), weight
