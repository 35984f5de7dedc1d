"""What the model says, and how it fails: each reply is marked with its request's number."""

from __future__ import annotations

import json
import random
import re
import time

from tests.upstream import Call, Cut, ErrorEvent, Fail, Fault, ParsedRequest, Reply, Say, Think
from tests.upstream.faults import NeverAnswer, PingsOnly, Silence
from tests.upstream.script import Part

WORDS = (
    "so ",
    "the ",
    "log ",
    "is ",
    "what ",
    "was ",
    "seen – ",
    "no\n",
    "more, ",
    "no\u2028",
    "less ✓ ",
)
CALLS: tuple[Call, ...] = (
    Call("listFiles", {}),
    Call("readFile", {"filePath": "welcome.md"}),
    Call("readFile", {"filePath": "nowhere.md"}),
    Call("searchFiles", {"pattern": "turn"}),
    Call("readFile", '{"filePath": '),
    Call("noSuchTool", {}),
    Call("weather", {"city": "Rome"}),
    Call("weather", '{"city": '),
    Call("book", {"to": "Paris"}),
    Call("strike", {}),
    Call("strike", {}),
)
MOST_RESULTS = 6
MOST_WORDS = (60, 60, 60, 60, 300)  # the last one outlives its node's time-out
_TOKEN = re.compile(r"#(\d+)#")


class Model:
    """The script of the upstream. It fails now and then, until it is told to be `calm`.

    `told` are its replies, and `spoke` when it said the last word of each, by number.
    """

    def __init__(self, seed: int, fails: float = 0.25) -> None:
        self.calm = False
        self.told: dict[int, Reply] = {}
        self.spoke: dict[int, float] = {}
        self._chance = random.Random(f"model {seed}")
        self._fails = fails

    def __call__(self, request: ParsedRequest) -> Reply:
        chance = self._chance
        mark = f"@{request.number:05}@"
        parts: list[Part] = []
        if chance.random() < 0.7:
            parts.append(Think(f"{mark} {self._text(30)}"))
        parts.append(Say(f"{mark} {self._text(chance.choice(MOST_WORDS))}"))
        if len(request.results) < MOST_RESULTS and chance.random() < 0.4:
            parts += chance.sample(CALLS, chance.randint(1, 3))
        fails = not self.calm and chance.random() < self._fails
        reply = Reply(parts, fault=self._fault() if fails else None)
        self.told[request.number] = reply
        return reply

    async def hold(self, request: ParsedRequest, delta: int) -> None:
        """The upstream's gate, which is always open: a word is about to be said."""
        self.spoke[request.number] = time.time()

    def _text(self, words: int) -> str:
        return "".join(self._chance.choices(WORDS, k=self._chance.randint(1, words)))

    def _fault(self) -> Fault:
        chance = self._chance
        after = chance.randint(0, 40)
        faults: list[Fault] = [
            Fail(429, retry_after=chance.choice([0.1, 0.5])),
            Fail(529),
            Fail(503),
            Cut(after, how=chance.choice(["close", "reset", "end"])),
            ErrorEvent(after),
            Silence(after),
            PingsOnly(after, every=0.2),
            NeverAnswer(),
        ]
        return chance.choice(faults)


def mark_of(text: str) -> int | None:
    """The number of the request that a text answers, if so much of it is there."""
    return int(text[1:6]) if text[:1] == "@" and text[6:7] == "@" else None


def token_of(body: object) -> int:
    """The token of the last message in a request's body."""
    found = _TOKEN.findall(json.dumps(body))
    return int(found[-1]) if found else 0
