"""Sends messages to webhooks, signed by the Standard Webhooks scheme.

<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
from standardwebhooks.webhooks import Webhook as Signer

from turnlog import __version__
from turnlog.adapters.public_addresses import PrivateAddress, PublicResolver, is_public
from turnlog.domain.errors import DeliveryFailed
from turnlog.domain.webhooks import Webhook

SECONDS = 15.0
AT_ONCE = 64
_GONE = 410


class HttpWebhookSender:
    """`WebhookSender`."""

    def __init__(self, *, private: bool = False, seconds: float = SECONDS) -> None:
        """`private`: addresses that are not on the public internet may be sent to as well."""
        self._private = private
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def send(self, webhook: Webhook, message_id: str, body: bytes) -> None:
        self._check(webhook.url)
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"turnlog/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Signer(webhook.secret).sign(message_id, now, body.decode()),
        }
        try:
            async with self._opened().post(
                webhook.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                _judge(answer)
        except PrivateAddress as error:
            raise DeliveryFailed(f"{error}.") from None
        except TimeoutError:
            raise DeliveryFailed(f"No answer within {self._seconds:g} s.") from None
        except aiohttp.ClientError as error:
            if isinstance(cause := error.__cause__ or error.__context__, PrivateAddress):
                raise DeliveryFailed(f"{cause}.") from None
            raise DeliveryFailed(f"{type(error).__name__}: {error}"[:500]) from None

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=AT_ONCE, resolver=None if self._private else PublicResolver()
                ),
                timeout=aiohttp.ClientTimeout(total=self._seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _check(self, url: str) -> None:
        """An address in place of a name is never looked up."""
        host = urlsplit(url).hostname or ""
        try:
            public = is_public(host)
        except ValueError:
            return
        if not (public or self._private):
            raise DeliveryFailed(f"{host} is an address of a private network.")


def _judge(answer: aiohttp.ClientResponse) -> None:
    """Raises unless it was received; only a 2xx says so."""
    if answer.status // 100 == 2:
        return
    raise DeliveryFailed(
        f"The receiver answered {answer.status} {answer.reason or ''}".strip()[:200] + ".",
        for_good=answer.status == _GONE,
        retry_after=_seconds(answer.headers.get("Retry-After")),
    )


def _seconds(retry_after: str | None) -> float | None:
    """The header's seconds, or those until its date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return None
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
