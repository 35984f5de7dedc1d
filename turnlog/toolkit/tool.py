"""The decorator, and the tool that it makes of a function."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Generic, ParamSpec, TypeVar, overload

import msgspec

from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Progress
from turnlog.domain.tools import ToolSpec
from turnlog.domain.values import Approval
from turnlog.toolkit.call import Call
from turnlog.toolkit.signature import read_signature
from turnlog.toolkit.threads import in_own_thread

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LONGEST_CALL = 86_400.0

P = ParamSpec("P")
R = TypeVar("R")


class PythonTool(Generic[P, R]):
    """A function as a tool; calling it calls the function."""

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        repeatable: bool = False,
        approval: Approval = "never",
        seconds: float = 60.0,
    ) -> None:
        """Raises `TypeError` or `ValueError` with what the definition lacks."""
        functools.update_wrapper(self, function)
        self._function = function
        known = name if name is not None else getattr(function, "__name__", "")
        try:
            self._check(known, approval, seconds)
            self._signature = read_signature(function, known)
            described = description or inspect.getdoc(function) or ""
            if not described.strip():
                raise ValueError("it has no docstring, which is what models are told of it")
        except (TypeError, ValueError) as error:
            raise type(error)(f"'{known}' cannot be a tool: {error}.") from error
        self._spec = ToolSpec(
            name=known,
            description=described,
            parameters=self._signature.parameters,
            repeatable=repeatable,
            approval=approval,
            seconds=float(seconds),
        )

    def _check(self, name: str, approval: object, seconds: object) -> None:
        if not NAME.fullmatch(name):
            raise ValueError("a name has 1 to 64 letters, digits, '_' and '-'")
        if approval not in ("never", "always"):
            raise ValueError(f"approval is 'never' or 'always', not {approval!r}")
        if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_CALL:
            raise ValueError(f"seconds is a number above 0, {LONGEST_CALL:,.0f} at most")
        if inspect.isgeneratorfunction(self._function):
            raise TypeError("of generators only asynchronous ones can be: write 'async def'")

    @property
    def spec(self) -> ToolSpec:
        """What models are told of it."""
        return self._spec

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """The output for the model; raises `ToolFailed`, and whatever the function raises.

        If it is cancelled, a coroutine is too; a plain function's thread runs on.
        """
        call = Call(key, arguments, progress)
        given = self._read(arguments)
        if self._signature.call is not None:
            given[self._signature.call] = call
        try:
            return await call.end(_text(await self._answer(given, call)))
        except (asyncio.CancelledError, SystemExit, KeyboardInterrupt) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            # Nobody asked for it: it came out of the function, and ends nothing but the call.
            raise RuntimeError(f"{type(error).__name__} came out of a tool") from error
        finally:
            call.abandon()

    async def _answer(self, given: dict[str, Any], call: Call) -> object:
        function: Callable[..., Any] = self._function
        if inspect.isasyncgenfunction(function):
            async with aclosing(function(**given)) as pieces:
                async for piece in pieces:
                    await call.say(piece)
            return None
        if inspect.iscoroutinefunction(function):
            return await function(**given)
        return await in_own_thread(functools.partial(function, **given), self._spec.name)

    def _read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            read = msgspec.convert(arguments, self._signature.arguments, str_keys=True)
        except (msgspec.ValidationError, ValueError, RecursionError) as error:
            raise ToolFailed(
                f"{self._spec.name} did not run, its arguments are wrong: {error}."
            ) from None
        return {name: getattr(read, name) for name in self._signature.arguments.__struct_fields__}


def _text(returned: object) -> str:
    if isinstance(returned, str):
        return returned
    return "" if returned is None else msgspec.json.encode(returned).decode()


@overload
def tool(function: Callable[P, R], /) -> PythonTool[P, R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    repeatable: bool = False,
    approval: Approval = "never",
    seconds: float = 60.0,
) -> Callable[[Callable[P, R]], PythonTool[P, R]]: ...


def tool(function: Callable[..., Any] | None = None, /, **said: Any) -> Any:
    """Make a tool of a typed function: `@tool`, or `@tool(repeatable=True, …)`.

    `name` and `description` are otherwise the function's name and docstring. `repeatable`
    says that a call whose outcome is unknown may safely be run again; with `approval`
    of `"always"` a person must allow each call; it may take so many `seconds`.

    Raises `TypeError` or `ValueError` for a definition that cannot be a tool.
    """
    if function is not None:
        return PythonTool(function, **said)
    return functools.partial(PythonTool, **said)
