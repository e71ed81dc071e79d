"""Proxies: which one leads to a server, and the way through it, at any cut of its answers, and through real ones."""

import asyncio
import base64
import contextlib
import gc
import itertools
import re
import socket
import ssl
import sys
import warnings

import pytest
import trustme
from pyws import UserAgent, WebSocket
from pyws.cpython.proxies import ProxyError, parse, proxy_for
from pyws.cpython.tunnel import open_tunnel

import proxy_programs
from peer import Peer
from proxies import Proxy, Script
from resolver import resolving
from runtimes import count_descriptors, required
from stage import FAILED, Stage

VARIABLES = [name + "_proxy" for name in ("http", "https", "ws", "wss", "socks", "all", "no")]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """The environment of whoever runs the tests names no proxy."""
    for name in [*VARIABLES, *map(str.upper, VARIABLES), "REQUEST_METHOD"]:
        monkeypatch.delenv(name, raising=False)


# Which

ONE, TWO, THREE = "http://one:1", "http://two:2", "http://three:3"


@pytest.mark.requirements("HSK-13")
@pytest.mark.parametrize(
    ("variables", "ws", "wss"),
    [
        ({}, None, None),
        # Chromium, and RFC 6455, 4.1: the proxy of https: before that of http:, for both schemes.
        ({"http_proxy": ONE}, ONE, ONE),
        ({"https_proxy": ONE}, ONE, ONE),
        ({"http_proxy": ONE, "https_proxy": TWO}, TWO, TWO),
        ({"http_proxy": ONE, "https_proxy": TWO, "socks_proxy": "socks5://s:3"}, "socks5://s:3", "socks5://s:3"),
        # curl
        ({"ws_proxy": ONE, "https_proxy": TWO}, ONE, TWO),
        ({"wss_proxy": ONE, "https_proxy": TWO}, TWO, ONE),
        ({"all_proxy": ONE}, ONE, ONE),
        ({"all_proxy": ONE, "http_proxy": TWO}, TWO, TWO),
        ({"all_proxy": ONE, "ws_proxy": TWO}, TWO, ONE),
        # Upper case is second; who sets nothing says something.
        ({"HTTPS_PROXY": ONE}, ONE, ONE),
        ({"ALL_PROXY": ONE}, ONE, ONE),
        ({"https_proxy": ONE, "HTTPS_PROXY": TWO}, ONE, ONE),
        ({"https_proxy": "", "HTTPS_PROXY": TWO}, None, None),
        ({"https_proxy": " ", "all_proxy": TWO}, TWO, TWO),
        # https://httpoxy.org/
        ({"HTTP_PROXY": ONE}, ONE, ONE),
        ({"HTTP_PROXY": ONE, "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": ONE, "REQUEST_METHOD": "GET"}, ONE, ONE),
        # What stands where a SOCKS proxy belongs is one.
        ({"socks_proxy": "s"}, "socks5://s:1080", "socks5://s:1080"),
        ({"socks_proxy": "http://s:3"}, "socks5://s:3", "socks5://s:3"),
        ({"socks_proxy": "socks4://s:3"}, "socks4://s:3", "socks4://s:3"),
        ({"https_proxy": ONE, "no_proxy": "*"}, None, None),
        ({"https_proxy": ONE, "NO_PROXY": "example.test"}, None, None),
        ({"https_proxy": ONE, "no_proxy": "", "NO_PROXY": "example.test"}, ONE, ONE),
        # One that is not used may be wrong.
        ({"https_proxy": "ftp://x", "no_proxy": "*"}, None, None),
        ({"https_proxy": ONE, "http_proxy": "ftp://x"}, ONE, ONE),
    ],
)
def test_variables(variables, ws, wss, monkeypatch):
    """Which variable is asked for which scheme, and in which order; it is named as it is spelled."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for secure, wanted in ((False, ws), (True, wss)):
        proxy = proxy_for(None, secure, "example.test", 443 if secure else 80)
        assert (proxy and proxy.public) == wanted
        assert proxy is None or proxy.source in variables


LOCAL = [
    "localhost", "localhost.", "app.localhost", "a.b.localhost.", "127.0.0.1", "127.9.9.9", "::1", "::ffff:7f00:1",
    "169.254.1.1", "::ffff:a9fe:101", "fe80::1", "febf::1",
]  # fmt: skip
FAR = [
    "10.1.2.3", "example.test", "localhost.test", "notlocalhost", "localhost6", "localhost.localdomain", "loopback",
    "0.0.0.0", "::", "128.0.0.1", "169.253.1.1", "fec0::1", "::ffff:a01:101", "fd00::1",
]  # fmt: skip


@pytest.mark.requirements("HSK-13")
@pytest.mark.parametrize("host", LOCAL + FAR)
def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(host, monkeypatch):
    """Chromium's implicit rules, each seen in Chromium itself; an owner's proxy is for all hosts."""
    monkeypatch.setenv("all_proxy", ONE)
    proxy = proxy_for(None, False, host, 80)
    assert (proxy is None) == (host in LOCAL)
    assert proxy_for(TWO, False, host, 80).public == TWO
    monkeypatch.setenv("no_proxy", "<-loopback>")
    assert proxy_for(None, False, host, 80).public == ONE
    monkeypatch.setenv("no_proxy", "*")
    assert proxy_for(None, False, host, 80) is None
    assert proxy_for(TWO, False, host, 80).public == TWO


# What `no_proxy` says; hosts and ports that are reached directly; those that are not. curl and Chromium agree on most.
BYPASS = [
    ("*", ["a.test", "10.0.0.1", "fd00::1"], []),
    ("b.test, *", ["a.test"], []),
    ("a.test", ["a.test", "a.test:81", "x.a.test", "y.x.a.test", "a.test."], ["xa.test", "a.test.x", "test"]),
    (".a.test", ["a.test", "x.a.test"], ["xa.test"]),
    ("A.Test.", ["a.test", "a.test.", "x.a.test"], ["b.test"]),
    ("*.a.test", ["x.a.test", "y.x.a.test"], ["a.test", "xa.test"]),
    ("*a.test", ["a.test", "xa.test", "x.a.test"], ["a.b.test"]),
    ("x*.test", ["x.test", "xyz.test"], ["a.test", "x.test.b"]),
    ("a.*.test", ["a.b.test", "a.b.c.test"], ["a.test", "b.a.test"]),
    ("a.test b.test\tc.test;d.test,,e.test\n", ["a.test", "b.test", "c.test", "d.test", "e.test"], ["f.test"]),
    ("a.test:81", ["a.test:81", "x.a.test:81"], ["a.test", "a.test:8"]),
    ("*:81,.b.test:82", ["a.test:81", "10.0.0.1:81", "b.test:82", "[fd00::1]:81"], ["a.test:82", "b.test"]),
    ("10.0.0.0/8", ["10.0.0.1", "10.255.255.255", "::ffff:a00:1"], ["11.0.0.1", "10.evil.test", "a.test"]),
    ("10.1.2.3/8", ["10.9.9.9"], ["11.0.0.1"]),
    ("10.0.0.0/255.0.0.0", ["10.9.9.9"], ["11.0.0.1"]),
    ("0.0.0.0/0", ["8.8.8.8"], ["fd00::1", "a.test"]),
    ("10.0.0.0/33,10.0.0.0/x,/8,10.0.0/8", [], ["10.0.0.1"]),
    ("10.*", ["10.0.0.1"], ["110.0.0.1"]),
    ("192.168.*.7", ["192.168.5.7"], ["192.168.5.8"]),
    ("13.1.2.3:81, 14.1.2.3", ["13.1.2.3:81", "14.1.2.3", "14.1.2.3:81"], ["13.1.2.3", "14.1.2.30", "114.1.2.3"]),
    (".1.2.3,1.2.3", [], ["4.1.2.3"]),
    ("fd00::/8", ["fd00::1", "fdff::1"], ["fe00::1", "10.0.0.1"]),
    ("[fd00::]/8", ["fd00::1"], ["fe00::1"]),
    ("[fd00::7]", ["fd00::7"], ["fd00::8"]),
    ("fd00::7", ["fd00::7", "[fd00::7]:81"], ["fd00::8"]),
    ("FD00:0:0::7", ["fd00::7"], ["fd00::8"]),
    ("[fd00::7]:81", ["[fd00::7]:81"], ["fd00::7", "[fd00::8]:81"]),
    ("fd00:*", ["fd00::7"], ["fd01::7"]),
    ("ws://a.test,http://b.test", ["a.test"], ["b.test"]),
    ("wss://a.test", [], ["a.test"]),
    ("ws://10.0.0.0/8", ["10.0.0.1"], ["11.0.0.1"]),
    ("<local>", ["intranet"], ["a.test", "10.0.0.1", "fd00::1"]),
    ("bücher.test", ["xn--bcher-kva.test", "x.xn--bcher-kva.test"], ["bucher.test"]),
    ("a[b.test, ., :, :81, ://, a.test:x, a.test:999999, bü*[.test, a.test/, [::", [], ["c.test", "10.0.0.1"]),
]


@pytest.mark.requirements("HSK-13")
@pytest.mark.parametrize(("rules", "direct", "proxied"), BYPASS, ids=[rules for rules, *_ in BYPASS])
def test_no_proxy(rules, direct, proxied, monkeypatch):
    """Names with what is below them, patterns, addresses, networks, ports, schemes; all else means nothing."""
    monkeypatch.setenv("all_proxy", ONE)
    monkeypatch.setenv("no_proxy", rules)

    def asked(place):
        host, port = re.fullmatch(r"(.*?)(?::(\d+))?", place).groups() if place.count(":") < 2 else (place, None)
        if place.startswith("["):
            host, port = place[1:].split("]:")
        return proxy_for(None, False, host, int(port or 80)) is not None

    assert [place for place in direct if asked(place)] == []
    assert [place for place in proxied if not asked(place)] == []


def test_the_system_s_settings(monkeypatch):
    """On macOS and Windows they are what urllib reads, unless the environment names a proxy; never for this machine."""
    settings = {"http": "http://one:1"}
    monkeypatch.setattr("urllib.request.getproxies", lambda: settings)
    monkeypatch.setattr("urllib.request.proxy_bypass", lambda host: host == "a.test:80")
    assert proxy_for(None, False, "b.test", 80) is None
    for platform in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        assert proxy_for(None, False, "a.test", 80) is None
        assert proxy_for(None, False, "127.0.0.1", 80) is None
        settings = {"http": "http://one:1"}
        assert proxy_for(None, True, "b.test", 80).public == ONE
        settings = {"http": "http://one:1", "https": "http://two:2"}
        assert proxy_for(None, False, "b.test", 80).public == TWO
        settings = {"https": "http://two:2", "socks": "http://three:3"}
        assert proxy_for(None, False, "b.test", 80).public == "socks5://three:3"
        settings = {}
        assert proxy_for(None, False, "b.test", 80) is None
        settings = {"http": "ftp://one:1"}
        with pytest.raises(ProxyError, match=r"ftp://one:1.*system's settings"):
            proxy_for(None, False, "b.test", 80)
        monkeypatch.setenv("ALL_PROXY", THREE)
        assert proxy_for(None, False, "b.test", 80).public == THREE
        monkeypatch.delenv("ALL_PROXY")


@pytest.mark.parametrize(
    ("url", "public", "credentials"),
    [
        ("one", "http://one:80", None),
        ("one:3128", "http://one:3128", None),
        ("HTTP://One/", "http://one:80", None),
        ("https://one", "https://one:443", None),
        ("socks4://one", "socks4://one:1080", None),
        ("socks4a://one", "socks4a://one:1080", None),
        ("socks5://one", "socks5://one:1080", None),
        ("socks5h://one", "socks5h://one:1080", None),
        ("socks://one", "socks5://one:1080", None),
        (" http://one:1/\n", "http://one:1", None),
        ("http://one:", "http://one:80", None),
        ("http://[::1]:3128", "http://[::1]:3128", None),
        ("[FD00:0:0::1]", "http://[fd00::1]:80", None),
        ("http://0x7f.1:1", "http://127.0.0.1:1", None),
        ("http://bücher.test:1", "http://xn--bcher-kva.test:1", None),
        ("http://user:pass@one:1", ONE, (b"user", b"pass")),
        ("user:pass@one:1", ONE, (b"user", b"pass")),
        ("http://us%40er:p%3Aa%2Fs%25s@one:1", ONE, (b"us@er", b"p:a/s%s")),
        ("http://user:p@a:s/s?#s@one:1", ONE, (b"user", b"p@a:s/s?#s")),
        ("user:p://a@one:1", ONE, (b"user", b"p://a")),
        ("http://user:50%@one:1", ONE, (b"user", b"50%")),
        ("http://user@one:1", ONE, (b"user", b"")),
        ("http://user:@one:1", ONE, (b"user", b"")),
        ("http://:pass@one:1", ONE, (b"", b"pass")),
        ("http://:@one:1", ONE, None),
        ("http://@one:1", ONE, None),
        ("http://%D0%AF:пароль@one:1", ONE, ("Я".encode(), "пароль".encode())),
        ("http://user:\udce9@one:1", ONE, (b"user", b"\xe9")),  # bytes of the environment that are no UTF-8
        ("socks5://us%3Aer:p%00@one:1", "socks5://one:1", (b"us:er", b"p\0")),
    ],
)
def test_urls(url, public, credentials):
    """Schemes, default ports, credentials of any shape; what is public has none of them."""
    proxy = parse(url, "x_proxy")
    assert (proxy.public, proxy.credentials, proxy.source) == (public, credentials, "x_proxy")
    assert "credentials" not in repr(proxy)
    assert UserAgent(proxy=url).proxy == url


@pytest.mark.parametrize(
    ("url", "named", "why"),
    [
        ("ftp://user:secret@one:21", "ftp://one:21", "scheme must be one of http, https,"),
        ("quic://one", "quic://one", "scheme"),
        ("direct://", "direct://", "scheme"),
        ("http://user:secret@", "http://", "must look like http://"),
        ("http://user:secret@/", "http://", "must look like"),
        ("http://:80", "http://", "must look like"),
        ("socks5://user:secret@one:two", "socks5://one", "must look like socks5://"),
        ("user:secret", "http://user", "must look like"),
        ("http://one:1/proxy.pac", "http://one", "must look like"),
        ("http://user:secret@one two:1", "http://one two", "must look like"),
        ("http://user:secret@::1:1", "http://", "must look like"),
        ("http://user:secret@[::g]:1", "http://[", "must look like"),
        ("http://user:secret@one:0", "http://one:0", "from 1 to 65535"),
        ("http://user:secret@one:65536", "http://one:65536", "from 1 to 65535"),
        ("http://user:secret@one:-1", "http://one", "must look like"),
        ("http://one:" + "9" * 5000, "http://one", "must look like"),
        ("http://user:secret@[:::1]:1", "http://[:::1]:1", "no name of a host"),
        ("http://user:secret@1.2.3.4.5:1", "http://1.2.3.4.5:1", "no name of a host"),
        ("http://user:secret@on\x01e:1", "http://on\\x01e:1", "no name of a host"),
        ("http://us%3Aer:secret@one:1", "http://one:1", "colon"),
        ("socks5://user:" + "secret" * 43 + "@one:1", "socks5://one:1", "255 bytes"),
        ("socks4://us%00er:secret@one:1", "socks4://one:1", "zero byte"),
    ],
)
def test_urls_that_cannot_be(url, named, why, monkeypatch, caplog, peer):
    """One sentence that names the proxy and where it comes from, never the password: at the call, or in the log."""
    with pytest.raises(ValueError) as raised:
        UserAgent(proxy=url)
    sentence = str(raised.value)
    assert sentence.startswith(f"the proxy '{named}' (UserAgent(proxy=…)) cannot be used: ") and why in sentence
    assert "secret" not in sentence and "\n" not in sentence
    monkeypatch.setenv("https_proxy", url)

    async def connect():
        stage = Stage("ws://192.0.2.1:9999", "wrong", "cpython")
        await stage.closed(stage.connect())
        return stage.journal

    assert asyncio.run(connect()) == FAILED
    [line] = said(caplog)
    assert line.endswith(f"failed: {sentence.replace('UserAgent(proxy=…)', 'https_proxy')}")


def said(caplog):
    """The lines of our log; asyncio's has others, on a busy machine."""
    return [record.getMessage() for record in caplog.records if record.name == "pyws"]


# Through: what is said, byte by byte

CONNECT = b"CONNECT example.test:81 HTTP/1.1\r\nHost: example.test:81\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
GRANTED = b"\5\0\0\1\0\0\0\0\0\0"
NAME = b"\5\1\0\3\x0cexample.test\0\x51"
LONG = "x" * 255


def ready(context):
    """What gives a TLS context, as a UserAgent does: it may have to be read first."""

    async def get():
        return context

    return get


async def open_through(proxy, script, host="example.test", port=81, context=None):
    """Open a tunnel, and say "ping" in it: what was heard before, and after, until that is answered."""
    transport, rest = await open_tunnel(parse(proxy, "x_proxy"), host, port, script.dial, ready(context))
    reader = asyncio.StreamReader()
    transport.set_protocol(protocol := asyncio.StreamReaderProtocol(reader))
    protocol.connection_made(transport)
    transport.resume_reading()
    transport.write(b"ping")
    said = await reader.readuntil(b"ping")
    transport.abort()
    return rest, said[:-4]


WAYS = {
    "http": ("http://p", [ESTABLISHED], [CONNECT + b"\r\n"]),
    "credentials": (
        "http://us%C3%A9r:p:%40@p",
        [ESTABLISHED],
        [CONNECT + b"Proxy-Authorization: Basic " + base64.b64encode("usér:p:@".encode()) + b"\r\n\r\n"],
    ),
    "only a user": (
        "http://user@p",
        [ESTABLISHED],
        [CONNECT + b"Proxy-Authorization: Basic " + base64.b64encode(b"user:") + b"\r\n\r\n"],
    ),
    "HTTP/1.0": ("http://p", [b"HTTP/1.0 200 OK\r\nVia: 1.0 x\r\n\r\n"], None),
    "no reason": ("http://p", [b"HTTP/1.1 200\r\n\r\n"], None),
    "LF": ("http://p", [b"HTTP/1.1 200 OK\nA: b\n\n"], None),
    "folded": ("http://p", [b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"], None),
    "created": ("http://p", [b"HTTP/1.1 201 Created\r\n\r\n"], None),
    "no content": ("http://p", [b"HTTP/1.1 204 No Content\r\n\r\n"], None),
    "length": ("http://p", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], None),
    "chunked": ("http://p", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"], None),
    "continue": ("http://p", [b"HTTP/1.1 100 Continue\r\n\r\n" + ESTABLISHED], None),
    "socks5": ("socks5://p", [b"\5\0", GRANTED], [b"\5\1\0", NAME]),
    "socks5h": ("socks5h://p", [b"\5\0", GRANTED], [b"\5\1\0", NAME]),
    "bound to a name": ("socks5://p", [b"\5\0", b"\5\0\0\3\4name\0\1"], None),
    "bound to nothing": ("socks5://p", [b"\5\0", b"\5\0\0\3\0\0\1"], None),
    "bound to IPv6": ("socks5://p", [b"\5\0", b"\5\0\0\4" + bytes(18)], None),
    "reserved byte": ("socks5://p", [b"\5\0", b"\5\0\7\1\0\0\0\0\0\0"], None),
    "asked for credentials": (
        "socks5://us%C3%A9r:p%3A@p",
        [b"\5\2", b"\1\0", GRANTED],
        [b"\5\2\0\2", b"\1\5us\xc3\xa9r\2p:", NAME],
    ),
    "not asked": ("socks5://user:pass@p", [b"\5\0", GRANTED], [b"\5\2\0\2", NAME]),
    "SOCKS with a user": ("socks5://user@p", [b"\5\2", b"\1\0", GRANTED], [b"\5\2\0\2", b"\1\4user\0", NAME]),
    "long credentials": (
        f"socks5://{LONG}:{LONG}@p",
        [b"\5\2", b"\5\0", GRANTED],
        [b"\5\2\0\2", b"\1\xff" + LONG.encode() + b"\xff" + LONG.encode(), NAME],
    ),
    "socks4a": ("socks4a://p", [b"\0\x5a" + bytes(6)], [b"\4\1\0\x51\0\0\0\1\0example.test\0"]),
    "user id": ("socks4a://us%C3%A9r:x@p", [b"\4\x5a" + bytes(6)], [b"\4\1\0\x51\0\0\0\1us\xc3\xa9r\0example.test\0"]),
}


@pytest.mark.requirements("HSK-13")
@pytest.mark.parametrize("size", [1, 7, 65536])
@pytest.mark.parametrize("way", WAYS)
def test_any_cut(runner, way, size):
    """The requests are these and nothing else; the answer may be cut anywhere; what follows it is not lost."""
    proxy, answers, requests = WAYS[way]
    for glued in (b"", b"SERVER"):

        async def conversation(glued=glued):
            async with Script(*answers[:-1], answers[-1] + glued, size=size) as script:
                rest, said = await open_through(proxy, script)
            assert rest + said == glued
            return script.heard

        assert runner.run(conversation()) in ([requests] if requests else [[ANY] * len(answers)])


ANY = type("Any", (), {"__eq__": lambda *_: True, "__hash__": None})()


@pytest.mark.parametrize(
    ("proxy", "host", "asked"),
    [
        ("http://p", "fd00::1", b"CONNECT [fd00::1]:81 HTTP/1.1\r\nHost: [fd00::1]:81\r\n\r\n"),
        ("http://p", "10.0.0.1", b"CONNECT 10.0.0.1:81 HTTP/1.1\r\nHost: 10.0.0.1:81\r\n\r\n"),
        ("socks5://p", "10.0.0.1", b"\5\1\0\1\x0a\0\0\1\0\x51"),
        ("socks5://p", "fd00::1", b"\5\1\0\4\xfd" + bytes(14) + b"\1\0\x51"),
        ("socks5://p", "x" * 255, b"\5\1\0\3\xff" + b"x" * 255 + b"\0\x51"),
        ("socks4://p", "10.0.0.1", b"\4\1\0\x51\x0a\0\0\1\0"),
        ("socks4://user@p", "localhost", b"\4\1\0\x51\x7f\0\0\1user\0"),
        ("socks4a://p", "10.0.0.1", b"\4\1\0\x51\x0a\0\0\1\0"),
        ("socks4a://p", "fd00::1", b"\4\1\0\x51\0\0\0\1\0fd00::1\0"),
    ],
)
def test_destinations(runner, proxy, host, asked):
    """Addresses, and names: resolved by the proxy, and for SOCKS 4, which has none, here."""
    answers = {"http": [ESTABLISHED], "socks5": [b"\5\0", GRANTED]}.get(proxy.partition(":")[0], [b"\0\x5a" + bytes(6)])

    async def conversation():
        async with Script(*answers) as script:
            await open_through(proxy, script, host)
        return script.heard[-1]

    assert runner.run(conversation()) == asked


def test_long_heads(runner):
    """As long as Chromium takes them, and no longer."""

    async def conversation(size):
        head = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"A: " + b"x" * (size - 6024) + b"\r\n\r\n"
        assert len(head) == size
        async with Script(head, size=16384) as script:
            await open_through("http://p", script)

    runner.run(conversation(250_000))
    with pytest.raises(ProxyError, match="not valid HTTP"):
        runner.run(conversation(300_000))


ANSWERS_THAT_FAIL = [
    ("http://p", [b"HTTP/1.1 503 Bad\x07 G\xe9teway\r\n\r\n"], r"answered 503 Bad\x07 Géteway"),
    ("http://p", [b"HTTP/1.1 502 " + b"x" * 5000 + b"\r\n\r\n"], "answered 502 " + "x" * 100),
    ("http://p", [b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n"], "answered 302 Found"),
    ("http://p", [b"HTTP/1.1 403 Forbidden\r\n\r\n"], "answered 403 Forbidden: many proxies allow port 443 only"),
    ("http://p", [b"HTTP/1.1 407 \r\n\r\n"], "answered 407: put user name and password in its URL, http://user:pas"),
    ("http://u:secret@p", [b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\n\r\n"], "407 Auth: it does not accept"),
    (
        "http://u:secret@p",
        [b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM x\r\n\r\n"],
        "407 Auth: it asks for Negotiate, NTLM, and only Basic is known here",
    ),
    ("http://p", [b"HTTP/1.0 401 Unauthorized\r\n\r\n"], "answered 401 Unauthorized: put user name and password in"),
    ("http://p", [b"", None], "ended the connection before it answered: is this the port of HTTP?"),
    ("http://p", [b"HTTP/1.1 200 OK\r\nA:", None], "ended the connection before it answered"),
    ("http://p", [b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"], "not valid HTTP"),
    ("http://p", [b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"], "not valid HTTP: illegal header line"),
    ("http://p", [b"HTTP/9 200 OK\r\n\r\n"], "not valid HTTP"),
    ("http://p", [b"SSH-2.0-OpenSSH\r\n"], "does not speak HTTP, its answer begins with 'SSH-2.0-OpenSSH\\r\\n"),
    ("http://p", [b"\x15\x03\x01\0\2\2\x46"], "does not speak HTTP, its answer begins with '\\x15\\x03"),
    ("http://p", [b"\x15\x03\x01\0\2\2\x46"], ": write https:// if it speaks TLS"),
    ("socks5://p", [b"\5\xff"], ": put user name and password in its URL, socks5://user:password@host:port"),
    ("socks5://p", [b"\5\2"], "wants a user name and a password"),
    (
        "socks5://u:secret@p",
        [b"\5\xff"],
        "allows neither a login with user name and password nor access without a login",
    ),
    ("socks5://u:secret@p", [b"\5\1"], "allows neither"),
    ("socks5://u:secret@p", [b"\5\2", b"\1\1"], "does not accept the user name and password in its URL"),
    ("socks5://p", [b"\5\0", b"\5\1"], "did not connect to the server: general failure"),
    ("socks5://p", [b"\5\0", b"\5\2\0\1\0\0\0\0\0\0"], "did not connect to the server: not allowed by its rules"),
    ("socks5://p", [b"\5\0", b"\5\4\0\1\0\0\0\0\0\0"], "did not connect to the server: host unreachable"),
    ("socks5://p", [b"\5\0", b"\5\5\0\1\0\0\0\0\0\0"], "did not connect to the server: connection refused"),
    ("socks5://p", [b"\5\0", b"\5\x63"], "did not connect to the server: reply code 99"),
    ("socks5://p", [b"\5\0", b"\5\0\0\2"], "not valid SOCKS 5: address type 2"),
    ("socks5://p", [b"\5\0", b"\5\0\0\1\0", None], "ended the connection before it answered: is this the port of S"),
    ("socks5://p", [b"HTTP/1.1 400 Bad\r\n"], "does not speak SOCKS 5, its answer begins with 'HTTP/1.1 400 Bad\\r"),
    ("socks4a://p", [b"\0\x5b"], "did not connect to the server: rejected or failed"),
    ("socks4a://p", [b"\0\x5d" + bytes(6)], "did not connect to the server: identd"),
    ("socks4a://p", [b"\0\0"], "did not connect to the server: reply code 0"),
    ("socks4a://p", [b"\5\0"], "does not speak SOCKS 4"),
]


@pytest.mark.parametrize(("proxy", "answers", "sentence"), ANSWERS_THAT_FAIL, ids=itertools.count())
def test_what_a_proxy_refuses(runner, proxy, answers, sentence):
    """One sentence in words, with what to do, nothing secret and nothing that harms a log; nothing stays open."""

    async def conversation():
        async with Script(*answers) as script:
            with pytest.raises(ProxyError) as raised:
                await open_through(proxy, script)
        return str(raised.value)

    told = runner.run(conversation())
    assert told.startswith(f"the proxy {parse(proxy, '').public} (x_proxy) ")
    assert sentence in told and "secret" not in told and told.isprintable() and len(told) < 250


@pytest.mark.parametrize(
    ("proxy", "host", "sentence"),
    [
        ("socks4://p", "fd00::1", "SOCKS 4, which has no IPv6 addresses"),
        ("socks4://p", "nowhere.invalid", "SOCKS 4, which resolves no names, and nowhere.invalid was not found"),
        ("socks4://p", "six.test", "SOCKS 4, which has no IPv6 addresses, and six.test has no other"),
        ("socks5://p", "x" * 256, "255 bytes at most"),
    ],
)
def test_destinations_that_cannot_be(runner, proxy, host, sentence, monkeypatch):
    """What a protocol has no room for is told before it is asked for."""
    resolving(monkeypatch, {"six.test": ["::1"]})

    async def conversation():
        async with Script() as script:
            with pytest.raises(ProxyError, match=sentence):
                await open_through(proxy, script, host)

    runner.run(conversation())


def test_a_proxy_that_is_not_there(runner):
    """The operating system's own words, and which proxy it is about."""

    async def dial(host, port):
        raise ConnectionRefusedError(111, "Connect call failed")

    with pytest.raises(
        ProxyError, match=r"the proxy http://one:1 \(x_proxy\) cannot be reached: .*Connect call failed"
    ):
        runner.run(open_tunnel(parse(ONE, "x_proxy"), "example.test", 80, dial, None))


# Through TLS


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def context(authority):
    """The TLS of a proxy called p."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("p", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trust(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_a_proxy_that_ends_tls_at_once(runner, trust):
    """It takes the connection, and no handshake."""

    async def conversation():
        async with Script(None) as script:
            # uvloop may notice the end before the handshake has begun.
            reason = "during the TLS handshake .*: write http:// if|before it answered: is this the port of HTTP"
            with pytest.raises(ProxyError, match=f"ended the connection ({reason})"):
                await open_through("https://p", script, context=trust)

    runner.run(conversation())


@pytest.mark.parametrize(
    ("answer", "scheme", "reason"),
    [
        (ESTABLISHED + b"SSH-2.0-x", "wss", "the server speaks before TLS on port 81"),
        (ESTABLISHED + b"SSH-2.0-x", "ws", "the server does not speak HTTP on port 81"),
        (ESTABLISHED, "wss", "the server does not speak TLS on port 81"),
    ],
)
def test_servers_behind_a_proxy_that_are_none(runner, caplog, answer, scheme, reason):
    """What they say comes with the answer of the proxy, or instead of their part of TLS."""

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            if await reader.read(65536):
                writer.write(b"HTTP/1.1 400 Bad request\r\n\r\n")
            await reader.read()
        writer.close()

    async def conversation():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        with UserAgent(proxy=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"):
            ws = WebSocket(f"{scheme}://example.test:81/")
        await ws.when("close").first()
        server.close()

    runner.run(conversation())
    [line] = said(caplog)
    assert reason in line


def test_a_text_that_a_proxy_repeats_is_without_the_password():
    """Alone and as HTTP encodes it, also cut; a password that is part of many words is not looked for."""
    secret = parse("http://user:s3cret@p:1", "x_proxy")
    assert "s3cret" not in str(secret.error("said s3cret and Basic dXNlcjpzM2Ny…"))
    assert str(parse("http://u:ab@p:1", "x_proxy").error("about ab")).endswith("about ab")


@pytest.mark.parametrize("size", [1, 65536])
def test_a_proxy_that_speaks_tls(runner, context, trust, size):
    """The same conversation, inside."""

    async def conversation():
        async with Script(ESTABLISHED + b"SERVER", size=size, context=context) as script:
            rest, said = await open_through("https://p", script, context=trust)
        assert (rest + said, script.heard) == (b"SERVER", [CONNECT + b"\r\n"])

    runner.run(conversation())


@pytest.mark.parametrize(
    ("proxy", "trusted", "tls", "sentence"),
    [
        ("https://p", False, True, "has a certificate that cannot be trusted: unable to get local issuer certificate"),
        ("https://q", True, True, "has a certificate that cannot be trusted: Hostname mismatch"),
        ("https://p", True, False, "write http:// if it does not speak TLS"),
    ],
)
def test_tls_that_fails(runner, context, trust, proxy, trusted, tls, sentence):
    """Certificates are judged by the proxy's name; one without TLS is the usual mistake."""
    trust = trust if trusted else ssl.create_default_context()

    async def conversation():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)  # the proxy's side complains of the alert
        async with Script(b"HTTP/1.1 400 Bad request\r\n\r\n", context=context if tls else None) as script:
            with pytest.raises(ProxyError, match=sentence):
                await open_through(proxy, script, context=trust)

    runner.run(conversation())


# Nothing stays open


@pytest.mark.parametrize("tls", [False, True])
def test_a_cancel_at_any_moment_leaves_nothing_open(runner, context, trust, tls):
    """Whatever the step: no descriptor, no task, no warning."""
    proxy = parse("https://p" if tls else "socks5://u:p@p", "x_proxy")
    answers = [ESTABLISHED] if tls else [b"\5\2", b"\1\0", GRANTED]

    async def conversation(steps):
        async with Script(*answers, size=10 if tls else 1, context=context if tls else None) as script:
            task = asyncio.ensure_future(open_tunnel(proxy, "example.test", 81, script.dial, ready(trust)))
            for _ in range(steps):
                await asyncio.sleep(0)
            done = task.done()
            task.cancel()
            [result] = await asyncio.gather(task, return_exceptions=True)
            if done:
                result[0].abort()
            else:
                assert isinstance(result, asyncio.CancelledError)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        return done

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runner.run(conversation(0))  # the first listener of a loop may open descriptors that stay
        before = count_descriptors()
        steps, done = 0, False
        while not done:
            done = runner.run(conversation(steps))
            steps += 1
            for _ in range(20):
                runner.run(asyncio.sleep(0))
            assert count_descriptors() == before, f"after {steps} steps"
        gc.collect()
    assert steps > 10


# Through them, by WebSocket


@pytest.mark.requirements("HSK-13")
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_small_messages_do_not_wait(runner, peer, context, authority, scheme, tmp_path):
    """TCP_NODELAY is set on what leads to a proxy."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))

    async def conversation(proxy):
        stage = Stage(peer.origin, f"proxied-{next(keys)}", "cpython")
        with UserAgent(proxy=proxy.url, authorities=str(tmp_path / "authority.pem")):
            ws = stage.connect("accept")
        await stage.opened(ws)
        options = [sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for sock in sockets_to(proxy.port)]
        ws.close()
        await stage.closed(ws)
        return stage.journal, options

    with Proxy(scheme, context if scheme == "https" else None) as proxy:
        assert runner.run(conversation(proxy)) == (["open 1", "close 3 clean 1005 ''"], [1])


def sockets_to(port):
    """The sockets of this process that are connected to that port."""
    for item in gc.get_objects():
        if isinstance(item, socket.socket) and item.fileno() >= 0 and item.family == socket.AF_INET:
            with contextlib.suppress(OSError):
                if item.getpeername()[1] == port:
                    yield item


@pytest.mark.requirements("HSK-13")
def test_the_addresses_of_a_proxy_race(runner, peer, monkeypatch):
    """One that refuses does not matter when another answers."""
    resolving(monkeypatch, {"proxy.test": ["127.0.0.1", "127.0.0.2"]})

    async def conversation(proxy):
        stage = Stage(peer.origin, f"proxied-{next(keys)}", "cpython")
        with UserAgent(proxy=f"http://proxy.test:{proxy.port}"):
            ws = stage.connect("accept", "close 1000")
        await stage.closed(ws)
        return stage.journal

    with Proxy("http", host="127.0.0.2") as proxy:
        assert runner.run(conversation(proxy)) == ["open 1", "close 3 clean 1000 ''"]


# Through proxies of different make

PROGRAMS = [
    (proxy_programs.tinyproxy, False), (proxy_programs.tinyproxy, True), (proxy_programs.squid, False),
    (proxy_programs.squid, True), (proxy_programs.danted, False), (proxy_programs.microsocks, False),
    (proxy_programs.microsocks, True),
]  # fmt: skip


@pytest.fixture(scope="module", params=PROGRAMS, ids=[f"{make.__name__}{'-users' * users}" for make, users in PROGRAMS])
def program(request, authority):
    """A real proxy."""
    make, users = request.param
    with contextlib.ExitStack() as stack:
        with required():
            program = stack.enter_context(make(authority, users))
        yield program


@pytest.fixture(scope="module")
def secure_peer():
    with Peer(tls=True) as peer:
        yield peer


@pytest.mark.requirements("HSK-13")
def test_real_proxies(runner, program, authority, peer, secure_peer, tmp_path, caplog):
    """`ws:` and `wss:`, TLS in TLS too: what is sent comes back; who has no password hears so in the log."""
    ports, credentials = program
    file = tmp_path / "authorities.pem"
    for each in (authority, secure_peer.authority):
        each.cert_pem.write_to_path(str(file), append=True)

    async def conversation(server, url):
        stage = Stage(server.origin, f"proxied-{next(keys)}", "cpython")
        with UserAgent(proxy=url, authorities=str(file)):
            ws = stage.connect("accept", "echo 2")
        await stage.opened(ws)
        if ws.readyState == 1:
            ws.send("x" * 300_000)
            ws.send(b"\0\1")
            while len(stage._messages[id(ws)]) < 2:
                await ws.when("message").first()
            ws.close()
        await stage.closed(ws)
        return [row[:40] for row in stage.journal]

    for scheme, port in ports.items():
        for server in (peer, secure_peer):
            journal = runner.run(conversation(server, f"{scheme}://{credentials}127.0.0.1:{port}"))
            assert [row.split()[0] for row in journal] == ["open", "message", "message", "close"], (scheme, journal)
        if credentials:
            for wrong in ("", "user:secret@"):
                caplog.clear()
                assert runner.run(conversation(peer, f"{scheme}://{wrong}127.0.0.1:{port}")) == FAILED
                [line] = said(caplog)
                assert f"the proxy {scheme}://127.0.0.1:{port} (UserAgent(proxy=…)) " in line
                assert "user" in line and "password" in line and "secret" not in line


keys = itertools.count()
