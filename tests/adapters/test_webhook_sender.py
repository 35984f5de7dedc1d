"""Messages to webhooks: signed, bounded in time, and never to addresses that are not public."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from tests.receiver import Receiver, receiving
from tests.store.test_webhooks import hook
from turnlog.adapters.public_addresses import PrivateAddress, PublicResolver, is_public
from turnlog.adapters.webhook_sender import HttpWebhookSender
from turnlog.domain.errors import DeliveryFailed

BODY = b'{"type":"turn.completed","data":{"conversationId":"c","offset":1}}'


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        receiver.secret = hook().secret
        yield receiver


@pytest.fixture
async def sender() -> AsyncIterator[HttpWebhookSender]:
    sender = HttpWebhookSender(private=True)
    yield sender
    await sender.close()


async def refusal(sender: HttpWebhookSender, url: str) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        await sender.send(replace(hook(), url=url), "evt_1", BODY)
    return failed.value


async def test_a_message_verifies_by_the_library_of_the_scheme(
    sender: HttpWebhookSender, receiver: Receiver
) -> None:
    await sender.send(replace(hook(), url=receiver.url), "evt_1", BODY)
    (message,) = receiver.messages
    assert (message.id, message.place) == ("evt_1", ("c", 1))


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 429, 500])
async def test_only_a_success_says_that_it_was_received(
    sender: HttpWebhookSender, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    receiver.headers = {"Location": receiver.url, "Retry-After": "7"}
    failure = await refusal(sender, receiver.url)
    assert str(status) in str(failure)
    assert failure.for_good == (status == 410)
    assert failure.retry_after == 7.0
    assert receiver.tries == 1, "nobody is followed elsewhere"


async def test_one_that_does_not_answer_is_given_up() -> None:
    sender = HttpWebhookSender(private=True, seconds=0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert "within 0.05 s" in str(await refusal(sender, url))
    await sender.close()


async def test_one_that_is_not_there_is_a_failure(sender: HttpWebhookSender) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert "connect" in str(await refusal(sender, url)).lower()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
async def test_private_addresses_are_not_sent_to_unless_that_is_allowed(
    receiver: Receiver, host: str
) -> None:
    sender = HttpWebhookSender()
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    try:
        failure = await refusal(sender, f"http://{host}:{port}/hook")
    finally:
        await sender.close()
    assert "private network" in str(failure)
    assert receiver.tries == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::93.184.216.34", True),
        ("2002:0a00:0001::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_name_is_judged_by_all_its_addresses() -> None:
    resolver = PublicResolver()
    with pytest.raises(PrivateAddress, match="localhost"):
        await resolver.resolve("localhost", 80, socket.AF_UNSPEC)
    await resolver.close()
