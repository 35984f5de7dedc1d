"""The drafts of JSON Schema, as validators whose every step is counted.

OpenAPI's `nullable`, which many schemas have, is understood in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import (
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
    ValidationError,
)
from jsonschema.validators import extend

from turnlog.runtime.schemas.budget import (
    BUDGET,
    look_down,
    spend,
    spend_on,
)
from turnlog.runtime.schemas.replaced import (
    check_additional_properties,
    check_multiple_of,
    check_pattern,
    check_pattern_properties,
    check_properties,
    check_unique_items,
)

Keyword = Callable[[Any, Any, Any, dict[str, Any]], Iterator[ValidationError] | None]
"""Takes the validator, the keyword's value, what is checked, and the schema it stands in."""


def _unless_null(keyword: Keyword) -> Keyword:
    def check(
        validator: Any, value: Any, checked: Any, schema: dict[str, Any]
    ) -> Iterator[ValidationError]:
        if checked is not None or schema.get("nullable") is not True:
            yield from keyword(validator, value, checked, schema) or ()

    return check


def _comparing(keyword: Keyword) -> Keyword:
    def check(
        validator: Any, value: Any, checked: Any, schema: dict[str, Any]
    ) -> Iterator[ValidationError]:
        spend(BUDGET.get().telling)
        yield from keyword(validator, value, checked, schema) or ()

    return check


def _counted(keyword: Keyword) -> Keyword:
    def check(
        validator: Any, value: Any, checked: Any, schema: dict[str, Any]
    ) -> Iterator[ValidationError]:
        spend_on(value)
        spend_on(checked)
        for error in keyword(validator, value, checked, schema) or ():
            spend(BUDGET.get().telling)
            yield error

    return check


def _dialect(draft: Any) -> Any:
    keywords: dict[str, Keyword] = {**draft.VALIDATORS}
    keywords |= {
        "additionalProperties": check_additional_properties,
        "enum": _unless_null(_comparing(keywords["enum"])),
        "multipleOf": check_multiple_of,
        "pattern": check_pattern,
        "patternProperties": check_pattern_properties,
        "properties": check_properties,
        "type": _unless_null(keywords["type"]),
        "uniqueItems": check_unique_items,
    }
    if "const" in keywords:
        keywords["const"] = _comparing(keywords["const"])
    dialect = extend(draft, {name: _counted(keyword) for name, keyword in keywords.items()})
    evolve = dialect.evolve

    def counted_evolve(self: Any, **changes: Any) -> Any:
        """Every way down goes through here, some of them through no keyword."""
        spend(1)
        look_down()
        return evolve(self, **changes)

    dialect.evolve = counted_evolve
    return dialect


LATEST = _dialect(Draft202012Validator)
DIALECTS: Mapping[str, Any] = {
    "http://json-schema.org/draft-04/schema": _dialect(Draft4Validator),
    "http://json-schema.org/draft-06/schema": _dialect(Draft6Validator),
    "http://json-schema.org/draft-07/schema": _dialect(Draft7Validator),
    "https://json-schema.org/draft/2019-09/schema": _dialect(Draft201909Validator),
    "https://json-schema.org/draft/2020-12/schema": LATEST,
}


def dialect_named(uri: object) -> Any:
    """The validator for a schema whose `$schema` that is; None if it is not known."""
    return DIALECTS.get(uri.rstrip("#")) if isinstance(uri, str) else None
