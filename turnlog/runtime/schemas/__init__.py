"""JSON Schemas of tools: whether one can be used, and whether arguments fit it."""

from turnlog.runtime.schemas.checking import check_schema
from turnlog.runtime.schemas.fitting import problems

__all__ = ["check_schema", "problems"]
