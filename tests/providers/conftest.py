"""An upstream for each test, and the adapters that speak to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.providers.asking import VOICES, Voice, Voices, speaking
from tests.upstream import Upstream


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as upstream:
        yield upstream


@pytest.fixture
async def voices(upstream: Upstream) -> AsyncIterator[Voices]:
    async with speaking(upstream) as voices:
        yield voices


@pytest.fixture(params=VOICES)
def voice(request: pytest.FixtureRequest, voices: Voices) -> Voice:
    return voices[str(request.param)]
