"""Regular expressions and globs that cannot hang the server.

Both run on RE2, whose time is linear in the text and whose memory is bounded,
and which lets other threads run meanwhile. Python's `re` can do neither.
"""

from __future__ import annotations

import re
from typing import Protocol, cast

import re2

from turnlog.adapters.tools.text import shown_name
from turnlog.domain.errors import ToolFailed

# Bounds the compiled program too, and with it the time for each byte.
MEMORY = 1 << 20

GLOB = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|[{},]|.", re.DOTALL)
WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Found(Protocol):
    """A match: where it begins."""

    def start(self) -> int: ...


class Pattern(Protocol):
    """A compiled pattern; text is UTF-8."""

    def search(self, text: bytes, pos: int = 0) -> Found | None: ...

    def fullmatch(self, text: str) -> Found | None: ...


def line_pattern(pattern: str, *, ignore_case: bool) -> Pattern:
    """A regular expression to be found within lines, many of which may be given at once."""
    try:
        return _compile(f"(?m){pattern}", ignore_case=ignore_case, within_lines=True)
    except ValueError as error:
        raise ToolFailed(
            f"'{shown_name(pattern)}' is no regular expression here: {error}. The "
            "syntax is RE2's, without look-around and backreferences; write a backslash before "
            "a special character to find the character itself."
        ) from None


def glob_pattern(glob: str) -> Pattern:
    """A glob over a whole path; without a slash it is for the name, in any folder."""
    glob = glob.removeprefix("./")
    if "/" not in glob:
        glob = f"**/{glob}"
    try:
        return _compile(_translate(glob), ignore_case=False, within_lines=False)
    except ValueError as error:
        raise ToolFailed(
            f"'{shown_name(glob)}' is no glob: {error}. It may hold *, **, ?, [abc] and {{a,b}}."
        ) from None


def _compile(expression: str, *, ignore_case: bool, within_lines: bool) -> Pattern:
    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    options.case_sensitive = not ignore_case
    options.never_nl = within_lines
    options.dot_nl = not within_lines
    try:
        return cast(Pattern, re2.compile(expression, options))
    except re2.error as error:
        (reason,) = error.args
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(text.replace("(?m)", "")) from None


def _translate(glob: str) -> str:
    expression = []
    braces = 0
    for token in GLOB.findall(glob):
        braces += {"{": 1, "}": -1}.get(token, 0)
        if braces < 0:
            raise ValueError("a } without its {")
        if token in WILDCARDS:
            expression.append(WILDCARDS[token])
        elif token in "{}":
            expression.append("(?:" if token == "{" else ")")
        elif token == "," and braces:
            expression.append("|")
        elif len(token) > 1:
            inner = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            expression.append(f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]")
        else:
            expression.append(re2.escape(token))
    if braces:
        raise ValueError("a { without its }")
    return "".join(expression)
