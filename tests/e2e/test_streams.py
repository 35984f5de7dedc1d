"""What a stream shows is the log: live, replayed, and taken up again anywhere."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from tests.e2e.client import Client, Frame

WHOLE = "/think about it for a while\n/say one two three four five six seven /delay 1"
ENDINGS = {
    "thinking.completed": "text",
    "message.completed": "text",
    "tool_call.requested": "arguments",
    "tool_call.completed": "output",
}


async def test_replayed_bytes_equal_live_bytes(client: Client) -> None:
    conversation = await client.create()
    submitted = await client.say(conversation, WHOLE)
    live = await client.turn(submitted)
    replayed = await client.turn(submitted)
    assert [frame.raw for frame in live] == [frame.raw for frame in replayed]
    assert live[0].event == "turn.queued"
    assert live[-1].event == "turn.completed"


async def test_the_deltas_of_an_item_add_up_to_its_ending(client: Client) -> None:
    conversation = await client.create()
    await client.turn(await client.say(conversation, WHOLE))
    deltas: defaultdict[int, str] = defaultdict(str)
    endings = 0
    for event in await client.log(conversation):
        if "delta" in event:
            deltas[event["item"]] += event["delta"]
        elif event["type"] in ENDINGS:
            endings += 1
            assert deltas.pop(event["item"], "") == event[ENDINGS[event["type"]]]
    assert endings == 2
    assert not deltas


async def test_resuming_at_every_offset_of_a_long_turn_gives_exactly_the_rest(
    client: Client,
) -> None:
    conversation = await client.create()
    submitted = await client.say(conversation, "/tokens 120 /delay 2")
    whole = await client.turn(submitted)
    offsets = [frame.offset for frame in whole]
    for number, frame in enumerate(whole):
        rest = await client.turn(submitted, after=frame.offset)
        assert [later.offset for later in rest] == offsets[number + 1 :]
        assert rest == whole[number + 1 :]


async def test_resuming_while_the_turn_runs_misses_and_repeats_nothing(client: Client) -> None:
    conversation = await client.create()
    submitted = await client.say(conversation, "/tokens 150 /delay 2")
    path = f"/turns/{submitted['turnId']}/stream-events"

    async def in_pieces_of(size: int) -> list[Frame]:
        seen: list[Frame] = []
        while not seen or seen[-1].event != "turn.completed":
            after = seen[-1].offset if seen else None
            piece = 0
            async for frame in client.follow(path, after):
                seen.append(frame)
                piece += 1
                if piece == size:
                    break
        return seen

    readings = await asyncio.gather(*(in_pieces_of(size) for size in (1, 2, 3, 7, 20, 1000)))
    offsets = [frame.offset for frame in readings[0]]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
    assert all(reading == readings[0] for reading in readings)


async def test_two_hundred_conversations_stream_at_once(client: Client) -> None:
    async def converse(number: int) -> list[Frame]:
        conversation = await client.create(title=f"number {number}")
        return await client.turn(await client.say(conversation, "/tokens 60 /delay 20"))

    turns = await asyncio.gather(*(converse(number) for number in range(200)))
    for frames in turns:
        assert frames[-1].event == "turn.completed"
        assert [frame.offset for frame in frames] == list(range(2, len(frames) + 2))
