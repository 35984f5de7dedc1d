"""Whatever is sent, nothing fails, nothing hangs and nothing is half written."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.http.server import DEMO, NOWHERE, Api
from turnlog.http import body as bodies
from turnlog.http.texts import MAX_DEPTH

JSON = {"Content-Type": "application/json"}
HERE = "/conversations/HERE"
SAY = f"{HERE}/messages"


def demo(**members: Any) -> bytes:
    return json.dumps(DEMO | members).encode()


def with_member(text: str) -> bytes:
    """A good request with one more member, as it is written."""
    return demo()[:-1] + b", " + text.encode("utf-8", "surrogatepass") + b"}"


NOT_JSON = {
    "nothing": b"",
    "a blank": b" ",
    "half an object": b'{"model": "x"',
    "an object and more": demo() + b"x",
    "single quotes": b"{'model': 'x'}",
    "a trailing comma": b'{"model": "x",}',
    "a comment": b"{} // x",
    "a form": b"model=x",
    "HTML": b"<p>",
    "NaN": with_member('"temperature": NaN'),
    "Infinity": with_member('"temperature": Infinity'),
    "a number of 5,000 digits": with_member('"maxOutputTokens": ' + "9" * 5000),
    "Latin-1": '{"title": "é"}'.encode("latin-1"),
    "UTF-16": demo().decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + demo(),
    "overlong UTF-8": b'{"title": "\xc0\x80"}',
    "a raw surrogate": with_member('"title": "\ud800"'),
    "a raw NUL": with_member('"title": "\0"'),
    "arrays without an end": b"[" * 100_000,
    "objects without an end": b'{"a":' * 100_000,
}

NOT_VALID = {
    "an array": b"[]",
    "null": b"null",
    "a number": b"7",
    "a string": b'"hello"',
    "a string with a NUL": rb'"\u0000"',
    "a lone surrogate": with_member(r'"title": "\ud800"'),
    "a lone low surrogate": with_member(r'"title": "\uDFFF"'),
    "a surrogate in a name": with_member(r'"\ud800": 1'),
    "a surrogate in a name that is given twice": rb'{"\ud800": 1, "\ud800": 2}',
    "a surrogate deep inside": with_member(r'"metadata": {"a": "\ud800"}'),
    "a NUL": with_member(r'"title": "\u0000"'),
    "a NUL in a list": with_member(r'"tags": ["a", "\u0000"]'),
    "a NUL in a name": with_member(r'"metadata": {"\u0000": ""}'),
    "a NUL in a message": rb'{"message": "\u0000"}',
    "a member twice": with_member('"title": "x", "title": "y"'),
    "a member of a member twice": with_member('"metadata": {"a": "", "a": ""}'),
    "1e999": with_member('"temperature": 1e999'),
    "1e999 in a schema": with_member(
        '"tools": [{"type": "function", "name": "f", "parameters": {"a": [-1e999]}}]'
    ),
    "deep arrays": with_member('"title": ' + "[" * 900 + "]" * 900),
    "many unknown members": json.dumps({str(n): 1 for n in range(50_000)}).encode(),
    "a very long name": json.dumps({"x" * 900_000: 1}).encode(),
    "a very long word": demo(modelProviderId="x" * 900_000),
}

TARGETS = [
    ("POST", "/conversations"),
    ("PATCH", HERE),
    ("POST", SAY),
    ("POST", f"/turns/{NOWHERE}/tool-results"),
    ("POST", f"/turns/{NOWHERE}/approvals"),
]


@pytest.fixture
async def here(api: Api) -> str:
    """The id of a conversation that nothing may happen to."""
    return str((await api.create())["conversationId"])


@pytest.mark.parametrize("target", TARGETS, ids=" ".join)
@pytest.mark.parametrize("name", NOT_JSON)
async def test_what_is_not_json_is_refused(
    api: Api, here: str, target: tuple[str, str], name: str
) -> None:
    await refused(api, here, target, NOT_JSON[name], 400, "INVALID_JSON")


@pytest.mark.parametrize("target", TARGETS, ids=" ".join)
@pytest.mark.parametrize("name", NOT_VALID)
async def test_what_is_not_valid_is_refused(
    api: Api, here: str, target: tuple[str, str], name: str
) -> None:
    await refused(api, here, target, NOT_VALID[name], 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("target", "limit"),
    [*zip(TARGETS, [1 << 20, 1 << 20, 16 << 20, 1 << 20, 1 << 20], strict=True)],
)
async def test_what_is_too_large_is_refused(
    api: Api, here: str, target: tuple[str, str], limit: int
) -> None:
    await refused(api, here, target, b" " * (limit - 1) + b"{}", 413, "PAYLOAD_TOO_LARGE")
    await refused(api, here, target, b" " * (limit - 2) + b"{}", 400, "VALIDATION_ERROR")


async def test_a_deep_schema_is_no_defect(api: Api) -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    tool = '{"type": "function", "name": "f", "parameters": ' + deep + "}"

    answer = await api.send("POST", "/conversations", with_member(f'"tools": [{tool}]'))

    assert answer.status == 400


async def refused(
    api: Api, here: str, target: tuple[str, str], body: bytes, status: int, code: str
) -> None:
    method, path = target
    before = await api.node.heads()

    answer = await api.send(method, path.replace("HERE", here), body)

    assert (answer.status, answer.code) == (status, code)
    assert len(answer.body) < 20_000
    assert await api.node.heads() == before


@pytest.mark.parametrize(
    "given",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/jsonp",
        "json",
        "/",
        ";",
        "",
    ],
)
async def test_what_does_not_say_that_it_is_json_is_refused(api: Api, given: str) -> None:
    answer = await api.send("POST", "/conversations", demo(), {"Content-Type": given})

    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert not any(await api.node.heads())


@pytest.mark.parametrize(
    "given", ["application/json; charset=UTF-8", "Application/JSON;charset=utf8"]
)
async def test_json_may_say_that_it_is_utf_8(api: Api, given: str) -> None:
    answer = await api.send("POST", "/conversations", demo(), {"Content-Type": given})

    assert answer.status == 201


async def test_a_pair_of_surrogates_is_a_character(api: Api) -> None:
    answer = await api.send("POST", "/conversations", with_member(r'"title": "\ud83d\ude00"'))

    assert answer.json["title"] == "😀"


async def test_a_body_without_an_end_is_not_read_to_its_end(api: Api) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 64 << 20:
            sent += 1 << 16
            yield b" " * (1 << 16)

    answer = await api.ask("POST", "/conversations", data=endless(), headers=JSON)

    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
    assert not any(await api.node.heads())


async def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(api: Api) -> None:
    packed = gzip.compress(b" " * (64 << 20))

    answer = await api.ask(
        "POST", "/conversations", data=packed, headers=JSON | {"Content-Encoding": "gzip"}
    )

    assert answer.status in (400, 413)


async def test_a_body_that_does_not_unpack_is_refused(api: Api) -> None:
    answer = await api.ask(
        "POST", "/conversations", data=demo(), headers=JSON | {"Content-Encoding": "gzip"}
    )

    assert answer.status == 400


async def test_a_body_that_stalls_is_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "STALL_SECONDS", 0.05)

    answer = await raw(
        api, b"POST /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )  # fmt: skip

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_is_held_back_is_asked_for(api: Api) -> None:
    answer = await raw(
        api,
        b"POST /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n")


async def test_a_body_that_would_be_too_large_is_not_asked_for(api: Api) -> None:
    answer = await raw(
        api,
        b"POST /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        b"Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_client_that_hangs_up_in_the_middle_is_no_defect(api: Api) -> None:
    with capture_logs() as logged:
        reader, writer = await asyncio.open_connection(api.client.host, api.client.port)
        writer.write(
            b"POST /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await api.client.server.close()

    assert [(line["event"], line["status"]) for line in logged] == [("http.request", 499)]
    assert not any(await api.node.heads())


async def raw(api: Api, request: bytes) -> bytes:
    """The first of what comes back for bytes that no client would send."""
    reader, writer = await asyncio.open_connection(api.client.host, api.client.port)
    try:
        writer.write(request)
        return await reader.read(4096)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\nX: %b\r\n\r\n"
        % (b"x" * 100_000),
        b"GET /api/v1/conversations?%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"x" * 100_000),
        b"GET /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % (b"X: y\r\n" * 20_000),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"GET /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        b"GET /api/v1/conversations HTTP/1.1\r\n\r\n",
        b"GET /api/v1/turns/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/v1/turns/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://[::1/api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/v1/conversations HTTP/1.1\r\nHost: localhost\r\nExpect: gold\r\n\r\n",
    ],
    ids=lambda request: str(request[:60]),
)
async def test_what_is_hardly_http_is_answered_below_500(api: Api, request_bytes: bytes) -> None:
    answer = await raw(api, request_bytes)

    assert answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert not any(await api.node.heads())
    assert (await api.get("/health")).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/conversations/%",
        "/conversations/%zz",
        "/conversations/%ff",
        "/conversations/%ed%a0%80",
        "/conversations/%00",
        "/conversations/%2e%2e",
        "/conversations/..%2f..",
        f"/conversations/{NOWHERE}%20",
        "/turns/%C3%28",
        "/providers/%00/models",
        "/providers/%ff/models",
        f"/conversations/{NOWHERE}/blobs/%ff",
        "/" + "x" * 4000,
    ],
)
async def test_a_path_that_decodes_to_nonsense_is_not_found(api: Api, path: str) -> None:
    answer = await raw(api, f"GET /api/v1{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize(
    "query",
    [
        "limit=%ff",
        "cursor=%ff",
        "cursor=%00",
        "tag=%ff",
        "tag=%ed%a0%80",
        "status=%ff",
        "%ff=%00",
        "&&=&",
        "%",
    ],
)
async def test_a_query_that_decodes_to_nonsense_is_no_defect(api: Api, query: str) -> None:
    answer = await raw(
        api, f"GET /api/v1/conversations?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    )

    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize(
    "header", ["If-Match", "If-None-Match", "Origin", "X-Request-Id", "Accept"]
)
@pytest.mark.parametrize("value", [b"\xff", b'"' * 3000, b",", b"*" * 10, b"\t", b'W/"'])
async def test_a_header_of_nonsense_is_no_defect(
    api: Api, here: str, header: str, value: bytes
) -> None:
    before = await api.node.heads()
    answer = await raw(
        api,
        b"PATCH /api/v1/conversations/%b HTTP/1.1\r\nHost: localhost\r\n%b: %b\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        % (here.encode(), header.encode(), value),
    )

    assert answer.startswith(b"HTTP/1.1 4")
    assert await api.node.heads() == before


@pytest.mark.parametrize("value", [b"\xff", b"\xed\xa0\x80", b"application/\xe9", b"7\xff"])
@pytest.mark.parametrize(
    ("header", "status"), [("Last-Event-ID", 400), ("Content-Type", 415), ("Idempotency-Key", 400)]
)
async def test_a_header_that_is_no_utf8_is_told_in_an_answer_that_is(
    api: Api, here: str, header: str, status: int, value: bytes
) -> None:
    method, path = ("GET", "events") if header == "Last-Event-ID" else ("POST", "messages")
    with capture_logs() as told:
        answer = await raw(
            api,
            f"{method} /api/v1/conversations/{here}/{path} HTTP/1.1\r\nHost: localhost\r\n".encode()
            + b"%b: %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            % (header.encode(), value),
        )

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body)["error"]["message"]
    assert [each for each in told if each["log_level"] == "error"] == []


async def test_a_probe_that_speaks_http_1_0_need_not_name_a_host(api: Api) -> None:
    assert (await raw(api, b"GET /health HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 200 ")


@pytest.mark.parametrize("host", [b"", b"example.org", b"127.0.0.1.example.org"])
async def test_a_foreign_host_is_refused_over_http_1_0_too(api: Api, host: bytes) -> None:
    answer = await raw(api, b"GET /health HTTP/1.0\r\nHost: %b\r\n\r\n" % host)

    assert answer.startswith(b"HTTP/1.0 403 ")


@pytest.mark.parametrize("inside", ["{%s}", "[%s]"])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900])
async def test_what_is_nested_too_deeply_to_be_read_again_is_refused(
    api: Api, inside: str, levels: int
) -> None:
    opens, _, closes = inside.partition("%s")
    opens = '{"a": ' if opens == "{" else opens
    deep = opens * levels + "1" + closes * levels
    tool = f'{{"type": "function", "name": "f", "parameters": {{"a": {deep}}}}}'

    answer = await api.send("POST", "/conversations", with_member(f'"tools": [{tool}]'))

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert "tools: is nested too deeply" in answer.message
