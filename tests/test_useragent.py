"""What a program's owner may decide on CPython, each setting seen on the wire."""

import asyncio
import http.cookiejar
import itertools
import time

import pytest
from pyws import DOMException, UserAgent, WebSocket

from peer import Peer
from proxies import Proxy
from stage import Stage

keys = itertools.count()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """The environment of whoever runs the tests names no proxy."""
    for name in ("http", "https", "ws", "wss", "socks", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


def converse(peer, *verbs, agent=None, origin=None):
    """Hold one conversation as `agent`: its journal and the headers of its request by name, in lower case."""

    async def conversation():
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        if agent is None:
            ws = stage.connect(*verbs, origin=origin)
        else:
            with agent:
                ws = stage.connect(*verbs, origin=origin)
        await stage.closed(ws)
        request = peer.records[stage._keys[id(ws)]].request[1:]
        return stage.journal, {name.lower(): value for name, _, value in (line.partition(": ") for line in request)}

    return asyncio.run(conversation())


DONE = ["open 1", "close 3 clean 1000 ''"]
FAILED = ["error 3", "close 3 unclean 1006 ''"]


@pytest.mark.rows("CKE-04", "CKE-09", "PYQ-22")
def test_origin_and_headers_are_sent_when_asked_for(peer):
    """The owner sets the Origin header and others; without an owner there is none."""
    agent = UserAgent(origin="http://example.org", headers={"Authorization": "Bearer x", "X-Trace": "7"})
    journal, headers = converse(peer, "accept", "close 1000", agent=agent)
    assert journal == DONE
    assert (headers["origin"], headers["authorization"], headers["x-trace"]) == ("http://example.org", "Bearer x", "7")
    journal, headers = converse(peer, "accept", "close 1000")
    assert journal == DONE
    assert not {"origin", "authorization", "cookie"} & set(headers)


@pytest.mark.parametrize("name", ["Host", "Sec-WebSocket-Key", "connection", "Origin", "a b", ""])
def test_headers_of_the_protocol_cannot_be_set(name):
    """What belongs to the handshake, or to no HTTP, is refused at the call."""
    with pytest.raises(ValueError, match="header"):
        UserAgent(headers={name: "x"})
    with pytest.raises(ValueError, match="header"):
        UserAgent(headers={"X-Good": "a\r\nEvil: b"})


@pytest.mark.parametrize(
    "setting", [{"opening_timeout": 0}, {"ping_interval": -1}, {"max_size": -1}, {"tls": object(), "authorities": "x"}]
)
def test_settings_that_cannot_be_are_refused(setting):
    """A clear exception at the call, not later."""
    with pytest.raises(ValueError):
        UserAgent(**setting)


@pytest.mark.rows("CKE-01", "CKE-02")
def test_cookies_are_kept_and_sent(peer):
    """A cookie set by one handshake, HttpOnly or not, is sent by the next; Secure and other paths stay at home."""
    agent = UserAgent(cookies=http.cookiejar.CookieJar())
    cookies = ["a=1", "b=2; HttpOnly", "c=3; Secure", "d=4; Path=/elsewhere", "e=5; Domain=example.org"]
    lines = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: {accept}"]
    lines = ["HTTP/1.1 101 Yes", *lines, *(f"Set-Cookie: {cookie}" for cookie in cookies)]
    head = "head " + "".join([line + r"\r\n" for line in [*lines, ""]])
    journal, first = converse(peer, head, "close 1000", agent=agent)
    assert journal == DONE and "cookie" not in first
    _, second = converse(peer, "accept", "close 1000", agent=agent)
    assert sorted(second["cookie"].split("; ")) == ["a=1", "b=2"]
    _, other = converse(peer, "accept", "close 1000", agent=UserAgent(cookies=http.cookiejar.CookieJar()))
    assert "cookie" not in other


def test_a_cookie_is_stored_before_open(peer):
    """In the `open` event the jar has what the handshake set."""
    jar = http.cookiejar.CookieJar()
    seen = []

    async def conversation():
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        with UserAgent(cookies=jar):
            ws = stage.connect("header Set-Cookie: a=1", "accept", "close 1000")
        ws.onopen = lambda _: seen.append([cookie.value for cookie in jar])
        await stage.closed(ws)

    asyncio.run(conversation())
    assert seen == [["1"]]


@pytest.mark.rows("HSK-12")
def test_tls_by_authority_or_context(peer, tmp_path, caplog):
    """An authority of one's own makes wss work; without it the handshake fails like any other, the log says why."""
    with Peer(tls=True) as secure:
        file = tmp_path / "authority.pem"
        secure.authority.cert_pem.write_to_path(str(file))
        agent = UserAgent(authorities=str(file))
        assert converse(secure, "accept", "close 1000", agent=agent)[0] == DONE
        own = UserAgent(tls=agent.context())
        assert converse(secure, "accept", "close 1000", agent=own)[0] == DONE
        assert converse(secure, "accept", "close 1000")[0] == FAILED
        assert "certificate cannot be trusted" in caplog.text


@pytest.mark.rows("HSK-13")
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_is_used(peer, scheme):
    """The proxy is asked for the server's address, and what follows is the same."""
    with Proxy(scheme) as proxy:
        assert converse(peer, "accept", "close 1000", agent=UserAgent(proxy=proxy.url))[0] == DONE
        assert proxy.asked == [f"127.0.0.1:{peer.port}"]


@pytest.mark.rows("HSK-13")
def test_proxies_of_the_environment(peer, monkeypatch):
    """HTTP_PROXY is honoured, NO_PROXY and `proxy=""` too."""
    with Proxy("http") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert converse(peer, "accept", "close 1000")[0] == DONE
        assert len(proxy.asked) == 1
        assert converse(peer, "accept", "close 1000", agent=UserAgent(proxy=""))[0] == DONE
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert converse(peer, "accept", "close 1000")[0] == DONE
        assert len(proxy.asked) == 1


def test_a_proxy_that_is_not_there_fails_the_connection(peer, caplog):
    """Like any failure: error and close, and a line in the log."""
    assert converse(peer, "accept", agent=UserAgent(proxy="http://127.0.0.1:9"))[0] == FAILED
    assert "WebSocket connection to" in caplog.text


@pytest.mark.rows("PMD-01")
def test_compression_can_be_switched_off(peer):
    """No offer then; by default Chromium's."""
    assert (
        "sec-websocket-extensions" not in converse(peer, "accept", "close 1000", agent=UserAgent(compression=False))[1]
    )
    offer = converse(peer, "accept", "close 1000")[1]["sec-websocket-extensions"]
    assert offer == "permessage-deflate; client_max_window_bits"


@pytest.mark.rows("PMD-09", "FRM-11")
@pytest.mark.parametrize(
    "verbs",
    [
        ["bulk 1 1001"],
        ["raw 827f0000000100000000"],
        ["fragment text 600 400 1"],
    ],
    ids=["plain", "declared", "fragmented"],
)
def test_a_message_larger_than_max_size_fails_the_connection(peer, verbs):
    """1009 on the wire, 1006 in the event; a message of exactly the limit is taken."""
    if verbs[0].startswith("fragment"):
        verbs = ["raw 0104" + b"aaaa".hex(), "raw 80" + "7e03e5" + b"a".hex() * 997]
    journal, _ = converse(peer, "accept", *verbs, agent=UserAgent(max_size=1000))
    assert journal == ["open 1", *FAILED]
    journal, _ = converse(peer, "accept", "bulk 1 1000", "close 1000", agent=UserAgent(max_size=1000))
    assert [row.split()[0] for row in journal] == ["open", "message", "close"]


@pytest.mark.rows("BUF-13")
def test_more_than_max_buffered_fails_the_connection(peer):
    """The call returns, the failure comes as an event."""

    async def conversation():
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        with UserAgent(max_buffered=1000):
            ws = stage.connect("accept", "hang")
        await stage.opened(ws)
        ws.send("x" * 1000)
        stage.note(f"full {ws.readyState}")
        ws.send("x")
        stage.note(f"overfull {ws.readyState}")
        await stage.closed(ws)
        return stage.journal

    assert asyncio.run(conversation()) == ["open 1", "full 1", "overfull 1", *FAILED]


@pytest.mark.rows("TMO-03")
def test_the_opening_timeout(peer, caplog):
    """A server that says nothing fails the connection in time."""
    start = time.monotonic()
    assert converse(peer, "hang", agent=UserAgent(opening_timeout=0.2))[0] == FAILED
    assert 0.2 <= time.monotonic() - start < 2
    assert "within opening_timeout, 0.2 seconds" in caplog.text


@pytest.mark.rows("TMO-01")
def test_the_closing_timeout(peer):
    """A server that does not answer our Close: the close event comes in time, unclean, without an error."""

    async def conversation():
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        with UserAgent(closing_timeout=0.2):
            ws = stage.connect("accept", "hang")
        await stage.opened(ws)
        ws.close()
        await stage.closed(ws)
        return stage.journal

    assert asyncio.run(conversation()) == ["open 1", "close 3 unclean 1006 ''"]


@pytest.mark.rows("PNG-04")
def test_pings_are_sent_only_when_asked_for(peer):
    """A server that answers stays, one that is silent fails the connection; by default nobody asks."""

    async def conversation(agent, *verbs):
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        with agent:
            ws = stage.connect(*verbs)
        await stage.opened(ws)
        await stage.sleep(0.6)
        if ws.readyState == 1:
            ws.close()
        await stage.closed(ws)
        return stage.journal, list(peer.records[stage._keys[id(ws)]].frames)

    lively = UserAgent(ping_interval=0.05, ping_timeout=0.1)
    journal, heard = asyncio.run(conversation(lively, "accept", "read", "read", "stall"))
    assert journal == ["open 1", *FAILED]
    assert heard[:2] == ["ping ''", "ping ''"]
    journal, heard = asyncio.run(conversation(UserAgent(), "accept"))
    assert journal == ["open 1", "close 3 clean 1005 ''"]
    assert "ping ''" not in heard


def test_pings_do_not_judge_the_closing_handshake(peer):
    """Once our Close is out, its own time-out decides, and without an error."""

    async def conversation():
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        with UserAgent(ping_interval=0.02, ping_timeout=0.1, closing_timeout=0.3):
            ws = stage.connect("accept", "stall")
        await stage.opened(ws)
        await stage.sleep(0.05)
        ws.close()
        await stage.closed(ws)
        return stage.journal

    assert asyncio.run(conversation()) == ["open 1", "close 3 unclean 1006 ''"]


@pytest.mark.rows("CON-14")
def test_mixed_content_is_refused_at_the_call(peer):
    """With a secure origin or base URL an insecure URL raises, unless it leads to this machine."""

    async def conversation(agent):
        with agent, pytest.raises(DOMException) as raised:
            WebSocket("ws://example.org/")
        assert raised.value.name == "SecurityError"

    asyncio.run(conversation(UserAgent(origin="https://example.org")))
    asyncio.run(conversation(UserAgent(base="https://example.org/page")))
    assert converse(peer, "accept", "close 1000", agent=UserAgent(origin="https://example.org"))[0] == DONE


@pytest.mark.rows("PYQ-7", "CON-04")
def test_relative_urls_have_the_base_of_the_user_agent(peer):
    """As in a page; without a base they are no URLs."""

    async def conversation():
        with UserAgent(base=peer.origin.replace("ws", "http") + "/folder/page?x"):
            ws = WebSocket("chat")
        ws.close()
        return ws.url

    assert asyncio.run(conversation()) == f"{peer.origin}/folder/chat"


@pytest.mark.rows("CON-13")
def test_blocked_ports_can_be_allowed(peer, caplog):
    """A server on an odd port is the owner's own business."""
    assert converse(peer, "accept", agent=UserAgent(), origin="ws://127.0.0.1:9")[0] == FAILED
    assert "port 9 is blocked" in caplog.text
    caplog.clear()
    assert converse(peer, "accept", agent=UserAgent(blocked_ports=False), origin="ws://127.0.0.1:9")[0] == FAILED
    assert "blocked" not in caplog.text


def test_a_user_agent_holds_for_a_block_or_from_here_on(peer):
    """Blocks nest; tasks inherit; `use` lasts; other tasks and threads keep their own."""
    one, two = UserAgent(origin="http://one"), UserAgent(origin="http://two")

    async def current():
        return UserAgent.current().origin

    async def program():
        assert await current() is None
        with one:
            inherited = asyncio.create_task(current())
            with two, two:
                assert await current() == "http://two"
            assert await current() == "http://one"
        assert await inherited == "http://one"
        assert await current() is None

        async def use():
            two.use()
            return await asyncio.create_task(current())

        assert await asyncio.create_task(use()) == "http://two"
        assert await current() is None

    asyncio.run(program())
