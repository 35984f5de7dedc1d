"""Server-sent events, read as the HTML standard (9.2.6) says, from chunks cut anywhere."""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"


class EventLines:
    """Gathers chunks of a body; gives the data of each event that has ended.

    Only CR, LF and CRLF end a line; names, ids and comments are passed over.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that this chunk completes, in order."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        lines = (self._rest + chunk).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        events: list[bytes] = []
        for line in lines:
            event = self._take(line.rstrip(b"\r\n"))
            if event is not None:
                events.append(event)
        return events

    def _take(self, line: bytes) -> bytes | None:
        if not self._begun:
            line = line.removeprefix(_BOM)
            self._begun = True
        if not line:
            data, self._data = self._data, []
            return b"\n".join(data) if data else None
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line == b"data":
            self._data.append(b"")
        return None
