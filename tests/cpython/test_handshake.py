"""The opening handshake as CPython writes it: the exact request, TLS, credentials, what the log says of a failure."""

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pyws

from peer import Peer
from resolver import resolving
from stage import FAILED, Stage

OPENED = ["open 1", "close 3 clean 1005 ''"]
COMPRESSED = "header Sec-WebSocket-Extensions: permessage-deflate"


def play(peer, key, *verbs, origin=None, loop_factory=None, **options):
    """One connection that does `verbs`: its journal."""

    async def connect():
        stage = Stage(peer.origin, key, "cpython")
        ws = stage.connect(*verbs, origin=origin, **options)
        await stage.closed(ws)
        return stage.journal

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(connect())


@pytest.fixture
def key(request):
    """The key of a conversation; `play` adds "-1" to it."""
    return "".join(character if character.isalnum() else "-" for character in request.node.name)


# The request


@pytest.mark.requirements("HSK-01", "HSK-13", "CKE-01", "CKE-04", "CKE-05", "CKE-06", "CKE-09", "PMD-01", "SUB-08")
def test_the_request_is_this_and_nothing_else(peer, key, monkeypatch):
    """Every line: no Origin, no Cookie, no Referer, straight to the server."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert play(peer, key, "header Sec-WebSocket-Protocol: b", "accept", "close", protocols=["a", "b"]) == [
        "open 1 protocol 'b'",
        "close 3 clean 1005 ''",
    ]
    first, *headers = peer.records[key + "-1"].request
    assert first == f"GET /{key}-1?do=header%20Sec-WebSocket-Protocol:%20b&do=accept&do=close HTTP/1.1"
    assert sorted(line for line in headers if not line.startswith("Sec-WebSocket-Key: ")) == [
        "Cache-Control: no-cache",
        "Connection: Upgrade",
        f"Host: {peer.origin.removeprefix('ws://')}",
        "Pragma: no-cache",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Sec-WebSocket-Protocol: a, b",
        "Sec-WebSocket-Version: 13",
        "Upgrade: websocket",
        f"User-Agent: pyws/{pyws.__version__}",
    ]


def leading_to(port):
    """A factory of loops in which every address and every port lead to that port here."""

    class Loop(asyncio.SelectorEventLoop):
        async def sock_connect(self, sock, address):
            here = "127.0.0.1" if sock.family == socket.AF_INET else "::ffff:127.0.0.1"
            await super().sock_connect(sock, (here, port))

    return Loop


@pytest.mark.requirements("HSK-01")
@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("ws://EXAMPLE.test", "example.test"),
        ("ws://example.test:80", "example.test"),
        ("ws://example.test:443", "example.test:443"),
        ("ws://example.test:8080", "example.test:8080"),
        ("ws://[::1]", "[::1]"),
        ("ws://[::1]:8080", "[::1]:8080"),
        ("ws://b\xfccher.test", "xn--bcher-kva.test"),
        ("ws://user:password@example.test", "example.test"),
    ],
)
def test_host_names_a_port_only_if_it_is_not_the_usual_one(peer, key, monkeypatch, origin, host):
    """Host as the URL standard serializes it, without credentials."""
    resolving(monkeypatch, {"example.test": ["192.0.2.1"], "xn--bcher-kva.test": ["192.0.2.2"]})
    loop_factory = leading_to(peer.port)
    assert play(peer, key, "accept", "close", origin=origin, loop_factory=loop_factory) == OPENED
    headers = peer.records[key + "-1"].request
    assert [line for line in headers if line.startswith("Host:")] == [f"Host: {host}"]
    assert not [line for line in headers if line.startswith("Authorization:")]


# TLS

TALK = """
import asyncio, json, sys
import pyws
from stage import row

async def main():
    rows = []
    for url in sys.argv[1:]:
        ws = pyws.WebSocket(url)
        over = asyncio.Event()
        for kind in ("open", "message", "error", "close"):
            ws.addEventListener(kind, lambda event, ws=ws: rows.append(row(ws, event)))
        ws.addEventListener("close", lambda _, over=over: over.set())
        await over.wait()
    print(json.dumps(rows))

asyncio.run(main(), debug=True)
"""


def talk(*urls, authority=None, folder=None):
    """One connection after the other in a Python of its own, which trusts that authority: its journal and its log."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "kit")}
    if authority is not None:
        environment["SSL_CERT_FILE"] = str(folder / "authority.pem")
        authority.cert_pem.write_to_path(environment["SSL_CERT_FILE"])
    command = [sys.executable, "-W", "error", "-c", TALK, *urls]
    done = subprocess.run(command, capture_output=True, env=environment, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    # asyncio, asked to watch, complains of a machine that is slow.
    return json.loads(done.stdout), [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]


@pytest.mark.requirements("HSK-12", "HSK-01", "CKE-10")
def test_tls_is_verified_and_names_the_server(peer, tmp_path):
    """The host is in SNI, ALPN asks for HTTP/1.1, the system's authorities are asked; HSTS is not remembered."""
    with Peer(tls=True) as secure:
        secret = f"wss://localhost:{secure.port}"
        plain = f"ws://localhost:{peer.port}"
        journal, log = talk(
            f"{secret}/named?do=header Strict-Transport-Security: max-age=9999&do=accept&do=text secret&do=close",
            f"{plain}/hsts?do=accept&do=close",
            f"{secure.origin}/numbered?do=accept&do=close",
            authority=secure.authority,
            folder=tmp_path,
        )
        assert (journal, log) == (["open 1", "message 1 'secret'", "close 3 clean 1005 ''", *OPENED, *OPENED], [])
        assert secure.records["named"].tls == ("localhost", "http/1.1")
        assert secure.records["numbered"].tls == (None, "http/1.1")  # RFC 6066, 3: no addresses in SNI
        assert f"Host: localhost:{secure.port}" in secure.records["named"].request


@pytest.mark.requirements("HSK-12", "HID-01", "HID-04", "ERR-12")
def test_a_certificate_that_does_not_verify_fails(peer, tmp_path):
    """An authority nobody knows, a certificate for another host, TLS that breaks off: 1006, and the log says why."""
    with Peer(tls=True) as unknown:
        assert_refused(*talk(unknown.origin + "/unknown?do=accept"), "the server's certificate cannot be trusted")
        assert "unknown" not in unknown.records
    with Peer(tls=True, names=["example.test"]) as other:
        journal, log = talk(other.origin + "/other?do=accept", authority=other.authority, folder=tmp_path)
        assert_refused(journal, log, "certificate is not valid for '127.0.0.1'")
        assert "other" not in other.records


def assert_refused(journal, log, reason):
    assert journal == FAILED
    assert len(log) == 1
    assert reason in log[0]


# What is hidden


@pytest.mark.requirements("HID-01", "HID-02", "HID-05")
@pytest.mark.parametrize(
    ("verbs", "origin", "reason"),
    [
        (["head HTTP/1.1 404 Not Found\r\n\r\n"], None, "the server answered 404 Not Found instead of 101"),
        (["header Sec-WebSocket-Accept: bm90IHRoZSByaWdodCBrZXk=", "accept"], None, "Sec-WebSocket-Accept"),
        (["header Sec-WebSocket-Protocol: c", "accept"], None, "subprotocol"),
        (["header Sec-WebSocket-Extensions: foo", "accept"], None, "Unsupported extension: name = foo"),
        (["raw 5353480d0a0d0a"], None, "does not speak HTTP on port"),
        (["fin"], None, "the server ended the connection before it answered the opening handshake"),
        (["accept", "raw 8300"], None, "the server broke the protocol"),
        (["accept", "raw 810180"], None, "not UTF-8"),
        ([], "ws://127.0.0.1:6667", "port 6667 is blocked"),
        ([], "ws://nowhere.invalid", "nowhere.invalid"),
    ],
    ids=["404", "key", "subprotocol", "extension", "banner", "hang-up", "opcode", "utf-8", "port", "name"],
)
def test_the_log_says_why_and_the_events_do_not(peer, key, caplog, verbs, origin, reason):
    """One line on the logger `pyws`; the error event is a bare Event, the close event says 1006 and nothing."""
    events = []

    async def connect():
        stage = Stage(peer.origin, key, "cpython")
        ws = stage.connect(*verbs, origin=origin)
        for kind in ("error", "close"):
            ws.addEventListener(kind, events.append)
        await stage.closed(ws)
        return stage.journal

    with caplog.at_level(logging.INFO):
        journal = asyncio.run(connect())
    assert [row for row in journal if row != "open 1"] == FAILED
    assert [type(event) for event in events] == [pyws.Event, pyws.CloseEvent]
    assert [record.name for record in caplog.records] == ["pyws"]
    message = caplog.records[0].getMessage()
    assert reason in message
    assert "\n" not in message


@pytest.mark.requirements("HID-03")
def test_failures_are_not_delayed(peer, key):
    """Ten refusals one after the other are over at once, and none has disturbed the next."""
    start = time.perf_counter()
    for number in range(10):
        assert play(peer, f"{key}-{number}", "head HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n") == FAILED
    assert time.perf_counter() - start < 2


# Credentials


@pytest.mark.requirements("CKE-07")
@pytest.mark.parametrize(
    ("userinfo", "value"),
    [
        ("Aladdin:open%20sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617, 2
        ("test:123%C2%A3", "Basic dGVzdDoxMjPCow=="),  # RFC 7617, 2.1
        ("user", "Basic dXNlcjo="),
        (":secret", "Basic OnNlY3JldA=="),
        ("a:b:c", "Basic YTpiOmM="),
        ("a%3Ab:c", "Basic YTpiOmM="),
    ],
)
def test_credentials_are_sent_as_basic(peer, key, userinfo, value):
    """User and password percent-decoded, in UTF-8; the URL's own colon is the first."""
    origin = peer.origin.replace("://", f"://{userinfo}@")
    assert play(peer, key, 'challenge Basic realm="r"', "accept", "close", origin=origin) == OPENED
    assert peer.heard(key + "-1") == ["no credentials", f"credentials {value}", "close"]


@pytest.mark.requirements("CKE-07")
@pytest.mark.parametrize("scheme", ['BASIC REALM="r"', 'Digest realm="r", nonce="n", basic realm="r"', "Basic"])
def test_a_challenge_is_found_among_others(peer, key, scheme):
    """The scheme in any case, anywhere in the list."""
    origin = peer.origin.replace("://", "://u:p@")
    assert play(peer, key, "challenge " + scheme, "accept", "close", origin=origin) == OPENED


@pytest.mark.requirements("CKE-07", "CKE-08")
@pytest.mark.parametrize(
    ("userinfo", "verb"),
    [
        ("", 'challenge Basic realm="r"'),
        ("u:p@", 'challenge Digest realm="basic"'),
        ("u:p@", "challenge"),
        ("u:p@", "head HTTP/1.1 407 Proxy\r\nProxy-Authenticate: Basic\r\ncontent-length: 0\r\n\r\n"),
    ],
    ids=["no credentials", "Digest", "no challenge", "407"],
)
def test_nothing_is_tried_again_without_credentials_and_challenge(peer, key, userinfo, verb):
    """One request, then the end."""
    origin = peer.origin.replace("://", f"://{userinfo}")
    assert play(peer, key, verb, "accept", "close", origin=origin) == FAILED
    assert not [line for line in peer.records[key + "-1"].request if line.startswith("Authorization")]


@pytest.mark.requirements("CKE-07")
def test_wrong_credentials_are_tried_once(peer, key):
    """A second 401 is a refusal."""
    origin = peer.origin.replace("://", "://u:p@")
    verbs = [
        'challenge Basic realm="r"',
        "head HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
    ]
    assert play(peer, key, *verbs, "fin", origin=origin) == FAILED
    assert peer.heard(key + "-1") == ["no credentials", "credentials Basic dTpw"]


# Compression


@pytest.mark.requirements("PMD-02")
def test_the_smallest_window_is_agreed_to_and_not_used(peer, key):
    """zlib has no window of 8 bits to compress with: messages go out as they are, and come in compressed."""

    async def connect():
        stage = Stage(peer.origin, key, "cpython")
        ws = stage.connect(COMPRESSED + "; client_max_window_bits=8", "accept", "deflated in", "read", "close")
        await stage.opened(ws)
        ws.send("out " * 100)
        await stage.closed(ws)
        return stage.journal[1:]

    assert asyncio.run(connect()) == ["message 1 'in'", "close 3 clean 1005 ''"]
    assert [row[:4] for row in peer.heard(key + "-1")] == ["text", "clos"]


@pytest.mark.requirements("PMD-05", "FRM-16")
def test_what_was_inflated_before_the_failure_is_delivered(peer, key):
    """A good message and a broken one in one segment."""
    verbs = [COMPRESSED, "hold", "accept", "deflated good", "raw c102ffff", "release"]
    assert play(peer, key, *verbs)[1:] == ["message 1 'good'", *FAILED]


@pytest.mark.requirements("PMD-06")
@pytest.mark.parametrize("parameters", ["", "; server_no_context_takeover"])
def test_a_message_may_have_many_final_blocks(peer, key, parameters):
    """ "Hello" twice in one message, each with BFINAL; then in fragments; then garbage after a final block."""
    hello = "f348cdc9c90700"
    frames = [
        "c10f" + hello * 2 + "00",
        "4107" + hello + "8008" + hello + "00",
        "c10a" + hello + "ffffff",
    ]
    journal = play(peer, key, COMPRESSED + parameters, "accept", *["raw " + digits for digits in frames])
    assert journal[1:] == ["message 1 'HelloHello'"] * 2 + FAILED
