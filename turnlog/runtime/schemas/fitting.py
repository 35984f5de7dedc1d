"""Whether arguments fit a schema, in words for a model."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec
import structlog
from referencing import Registry

from turnlog.domain.errors import InvalidSchema
from turnlog.runtime.schemas.budget import BUDGET, Budget
from turnlog.runtime.schemas.checking import check_keywords, written
from turnlog.runtime.schemas.dialects import LATEST, dialect_named
from turnlog.runtime.schemas.sentences import sentence

MOST_PROBLEMS = 10
MOST_ERRORS = 100
"""Of which many may say the same, where a schema says the same in several places."""

log = structlog.get_logger(__name__)


def problems(schema: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    """What does not fit, a sentence each, ten at most; empty if all fits.

    What cannot be decided fits, and the log says so once: a schema that is none (those of
    foreign servers are not checked before), a pattern that RE2 does not have, or what
    would take more than `STEPS`. It never raises.
    """
    try:
        encoded = written(schema)
    except InvalidSchema as refused:
        _unchecked(str(refused))
        return []
    against = _compiled(encoded)
    return [] if against is None else against.problems(arguments)


class _Compiled:
    def __init__(self, encoded: bytes) -> None:
        """Raises `InvalidSchema`."""
        schema = msgspec.json.decode(encoded)
        check_keywords(schema)
        if b'"unevaluatedProperties"' in encoded and b'"patternProperties"' in encoded:
            raise InvalidSchema("unevaluatedProperties beside patternProperties is not checked.")
        dialect = dialect_named(schema.pop("$schema", None)) or LATEST
        self._validator = dialect(schema, registry=Registry[Any]())
        self._size = len(encoded)
        self._told = False

    def problems(self, arguments: dict[str, Any]) -> list[str]:
        found: list[str] = []
        token = None
        try:
            token = BUDGET.set(Budget(self._size + len(msgspec.json.encode(arguments))))
            errors = self._validator.iter_errors(arguments)
            for told in map(sentence, islice(errors, MOST_ERRORS)):
                if told not in found:
                    found.append(told)
                if len(found) == MOST_PROBLEMS:
                    break
        # Beside `Spent`: arguments nested too deeply, or numbers that cannot be written.
        except Exception as error:
            if not self._told:
                self._told = True
                _unchecked(type(error).__name__)
        finally:
            if token is not None:
                BUDGET.reset(token)
        return found


@lru_cache(maxsize=256)
def _compiled(encoded: bytes) -> _Compiled | None:
    try:
        return _Compiled(encoded)
    except Exception as error:
        _unchecked(str(error) if isinstance(error, InvalidSchema) else type(error).__name__)
        return None


@lru_cache(maxsize=256)
def _unchecked(reason: str) -> None:
    log.warning("schema.unchecked", reason=reason)
