"""What every store asks of a batch before it writes: mistakes of the caller, not refusals."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.domain.identity import bucket_of
from turnlog.domain.records import Append


def check(bucket: int, appends: Sequence[Append], buckets: int) -> None:
    """Raises `ValueError` unless the appends are for different conversations of the bucket, the
    entries of each follow its head without a gap, and its records are of different keys."""
    if len({append.conversation_id for append in appends}) < len(appends):
        raise ValueError("a conversation may appear in a batch once")
    for append in appends:
        if bucket_of(append.conversation_id, buckets) != bucket:
            raise ValueError(f"{append.conversation_id} is not of bucket {bucket}")
        offset = append.head.offset
        if not append.entries:
            raise ValueError(f"nothing to append to {append.conversation_id}")
        for entry in append.entries:
            offset += 1
            if entry.offset != offset:
                raise ValueError(f"{append.conversation_id} has a gap before {entry.offset}")
        if len({record.key for record in append.records}) < len(append.records):
            raise ValueError(f"a key of {append.conversation_id} is used twice")
