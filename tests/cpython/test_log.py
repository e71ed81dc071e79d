"""The log: one line for every end that is not clean, which troubleshooting.md explains, and never a secret in it."""

import asyncio
import contextlib
import http.cookiejar
import itertools
import logging
import re
import socket
import ssl
import threading
from pathlib import Path

import pytest
import pyws.cpython.connection
import pyws.cpython.handshake
import trustme
from pyws import UserAgent, WebSocket
from pyws.cpython.url import parse

from peer import Peer

TROUBLESHOOTING = Path(__file__).parents[2].joinpath("web", "docs", "troubleshooting.md").read_text("utf-8")
numbers = itertools.count()


def rows():
    """The first column of its table, as regular expressions by their text."""
    table = TROUBLESHOOTING.partition("| The line says | Why | What to do |\n|---|---|---|\n")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()]
    return {cell: re.compile(".*".join(map(re.escape, cell.split("…")))) for cell in cells}


ROWS = rows()
LINE = re.compile(r"WebSocket connection to '(.*)' (failed|did not end cleanly): (.*)")
provoked = set()


async def closed(ws):
    ended = asyncio.Event()
    ws.addEventListener("close", lambda event: ended.set())
    await ended.wait()


def play(caplog, url, act=None, agent=None, **settings):
    """Open `url`, do `act(ws)` and wait for the end: what the one line says after "failed" or its like."""

    async def main():
        with agent or UserAgent(**{"proxy": "", **settings}):
            ws = WebSocket(url)
        if act is not None:
            act(ws)
        await closed(ws)

    caplog.clear()
    with caplog.at_level(logging.INFO, "pyws"):
        asyncio.run(main())
    (record,) = [record for record in caplog.records if record.name == "pyws"]
    message = record.getMessage()
    assert message.isprintable()
    return LINE.fullmatch(message)[3]


def explained(said):
    """The row of the table that explains this."""
    found = [row for row, pattern in ROWS.items() if pattern.fullmatch(said)]
    provoked.update(found)
    return found[0] if found else f"nothing explains: {said}"


HANDSHAKES = [
    ("the server answered … instead of 101…", ["head HTTP/1.1 404 Not Found\r\n\r\n", "fin"]),
    ("the server … the connection before it answered the opening handshake…", ["fin"]),
    ("the server … the connection before it answered the opening handshake…", ["reset"]),
    ('the server does not speak HTTP on port …, it says "…"', ["raw 5353482d322e300d0a", "fin"]),
    ("the server chose none of the subprotocols, of which there are …", ["accept"]),
    ("… header…", ["header Sec-WebSocket-Accept: x", "accept"]),
    ("… header…", ["header Upgrade", "accept"]),
    ("the server ended the connection…, without a Close frame", ["header Sec-WebSocket-Protocol: a", "accept", "fin"]),
]


@pytest.mark.requirements("HID-01", "HID-05")
@pytest.mark.parametrize(("row", "verbs"), HANDSHAKES)
def test_a_handshake_that_fails(caplog, url, row, verbs):
    """What the server did is told, and not to the program."""

    async def main():
        ws = WebSocket(url(*verbs), "a" if "Protocol" in row + "".join(verbs) or "subprotocol" in row else None)
        await closed(ws)

    with caplog.at_level(logging.INFO, "pyws"):
        asyncio.run(main())
    (record,) = caplog.records
    assert explained(LINE.fullmatch(record.getMessage())[3]) == row


@pytest.mark.requirements("HID-01")
def test_what_the_owner_gave_is_not_usable_any_more(caplog, tmp_path):
    """A file of authorities that has gone, a cookie that is no header: the line names the one, and not the other."""
    file, jar = tmp_path / "authority.pem", http.cookiejar.CookieJar()
    with Peer(tls=True) as secure:
        secure.authority.cert_pem.write_to_path(str(file))
        agent = UserAgent(authorities=file, cookies=jar, proxy="")
        for prepare, row in [
            (file.unlink, "…: '…' cannot be read: …"),
            (lambda: file.write_text("damaged"), "…: '…' cannot be read: …"),
            (
                lambda: secure.authority.cert_pem.write_to_path(str(file)),
                "a cookie of the jar has characters that HTTP does not allow in a header",
            ),
        ]:
            prepare()
            agent.keep_cookies(parse(secure.origin), [("Set-Cookie", "a=1")])
            next(iter(jar)).value = "secret\r\n"
            said = play(caplog, f"{secure.origin}/log-{next(numbers)}?do=accept", agent=agent)
            assert explained(said) == row and "secret" not in said


ENDS = [
    ("the server reset the connection", ["accept", "ready", "reset"], {}),
    ("the server ended the connection…, without a Close frame", ["accept", "fin"], {}),
    ("the server ended the connection…, without a Close frame", ["accept", "raw 810a61", "fin"], {}),
    ("the server ended the connection…, without a Close frame", ["accept", "raw 0105616263", "fin"], {}),
    ("the server did not answer the Close frame…", ["accept", "hang"], {"closing_timeout": 0.05}),
    ("the server did not answer the Close frame…", ["accept", "until close", "fin"], {}),
    ("the server broke the protocol: …", ["accept", "raw 8300"], {}),
    ("the server broke the protocol: …", ["accept", "raw f100"], {}),
    ("a text message is not UTF-8: …", ["accept", "raw 8101ff"], {}),
    ("a message of … bytes is larger than max_size, … bytes", ["accept", "text 12345678901"], {"max_size": 10}),
    ("more than max_buffered, … bytes, wait for the network", ["accept", "stall"], {"max_buffered": 100_000}),
    (
        "the server gave no sign of life within … seconds",
        ["accept", "stall"],
        {"ping_interval": 0.05, "ping_timeout": 0.05},
    ),
]


@pytest.mark.requirements("HID-01", "ERR-08")
@pytest.mark.parametrize(("row", "verbs", "settings"), ENDS)
def test_an_open_connection_that_ends(caplog, url, row, verbs, settings):
    """Each end that is not clean has its line, one only."""

    def act(ws):
        def opened(event):
            if "max_buffered" in settings:
                ws.send(bytes(1 << 24))
            elif "ready" in verbs:
                ws.send("ready")
            elif "ping_interval" not in settings and verbs[-1] in ("hang", "fin") and "raw" not in verbs[1]:
                ws.close() if "until close" in verbs or "hang" in verbs else None

        ws.onopen = opened

    said = play(caplog, url(*verbs), act, **settings)
    assert explained(said) == row
    if "raw 810a61" in verbs or "raw 0105616263" in verbs:
        assert "in the middle of a message" in said


@pytest.mark.requirements("HID-05", "TMO-03")
def test_what_never_reaches_a_server(caplog, url, peer):
    """A name, a port, a time limit, and a program that gives up."""
    said = play(caplog, url("accept", origin="ws://nowhere.invalid"))
    assert explained(said) == "the name … could not be resolved: …"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert explained(play(caplog, f"ws://127.0.0.1:{port}/")) == "… Connect call failed …"
    said = play(caplog, url("hang"), opening_timeout=0.7)
    assert explained(said).startswith("it was not open within …, ")
    assert said.endswith("waiting for the server's answer to the opening handshake")
    assert explained(play(caplog, "ws://127.0.0.1:25/")).startswith("port … is blocked")
    said = play(caplog, url("hang"), lambda ws: ws.close())
    assert explained(said) == "the program closed it before it was open"


@pytest.mark.requirements("ERR-12")
def test_tls_in_words(caplog, url):
    """The right scheme for the port, certificates, and alerts."""
    alert = url("raw 15030100020246", "fin")
    assert explained(play(caplog, alert)) == "the server speaks TLS on port …: use wss://"
    with Peer(tls=True) as secure:
        insecure = secure.origin.replace("wss:", "ws:")
        assert play(caplog, f"{insecure}/?do=accept").endswith("; does it want wss://?")
        said = play(caplog, f"{secure.origin}/?do=accept")
        assert explained(said) == "the server's certificate cannot be trusted: …"
    with server(lambda connection: connection.sendall(b"HTTP/1.1 400 No\r\n\r\n")) as port:
        said = play(caplog, f"wss://localhost:{port}/")
        assert explained(said) == "the server does not speak TLS on port …: use ws://, or the port that has TLS"
    with server(lambda connection: connection.sendall(b"\x16\x03\x03\0\x04\x0e\0\0\0")) as port:
        said = play(caplog, f"wss://localhost:{port}/")
        assert explained(said) == "TLS failed: …"
    with tls_server(lambda context: setattr(context, "minimum_version", ssl.TLSVersion.TLSv1_3)) as (port, context):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        said = play(caplog, f"wss://localhost:{port}/", tls=context)
        assert explained(said) == 'the server refused TLS with the alert "…"'
    with tls_server(lambda context: setattr(context, "verify_mode", ssl.CERT_REQUIRED)) as (port, context):
        said = play(caplog, f"wss://localhost:{port}/", tls=context)
        assert explained(said) == 'the server ended TLS with the alert "…" …'
        assert "certificate required" in said


@contextlib.contextmanager
def server(serve):
    """A server that does `serve(connection)` with each connection, in a thread: its port."""

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with contextlib.suppress(OSError), connection:
                    serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextlib.contextmanager
def tls_server(configure):
    """A server with TLS of some kind, which reads: its port, and a context of a client that trusts it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    configure(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    def serve(connection):
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls:
            try:
                tls.do_handshake()
                tls.recv(1000)
            except ssl.SSLError:
                while socket.socket.recv(tls, 1000):  # what is left unread would make the end a reset
                    pass

    with server(serve) as port:
        yield port, trusting


@pytest.mark.requirements("ERR-11", "BYE-02")
def test_ends_of_the_program_and_lost_bytes(caplog, url, monkeypatch):
    """Tasks that are canceled, and a Close that comes while much waits to be sent."""

    async def main():
        ws = WebSocket(url("accept"))
        ws.onopen = lambda event: ws._pyws_connection._task.cancel()
        await closed(ws)

    with caplog.at_level(logging.INFO, "pyws"):
        asyncio.run(main())
    assert caplog.records[-1].levelname == "INFO"
    assert explained(LINE.fullmatch(caplog.records[-1].getMessage())[3]) == "the program's tasks were canceled"

    def act(ws):
        ws.onopen = lambda event: ws.send(bytes(1 << 25))

    monkeypatch.setattr(pyws.cpython.connection, "TCP_CLOSE_TIMEOUT", 0.05)
    said = play(caplog, url("accept", "close 1000", "stall"), act, closing_timeout=0.05)
    assert explained(said) == "the server closed it before … had left"


PROXIES = [
    ("the proxy … (…) did not connect to the server…", "http", b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
    ("the proxy … (…) did not connect to the server…", "socks4a", b"\0\x5b"),
    ("the proxy … (…) … user name … password…", "socks5", b"\5\xff"),
    ("the proxy … (…) does not speak …, its answer begins with '…'…", "http", b"SSH-2.0-x\r\n"),
    ("the proxy … (…) ended the connection…", "http", b""),
    ("the proxy … (…) failed the TLS handshake…", "https", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ("the proxy … (…) gave an answer that is not valid …: …", "http", b"HTTP/1.1 200 OK\r\nx\r\n\r\n"),
    ("the server speaks before TLS on port …: …", "http", b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n"),
]


@pytest.mark.requirements("HSK-13", "HID-05")
@pytest.mark.parametrize(("row", "scheme", "answer"), PROXIES)
def test_what_a_proxy_does(caplog, row, scheme, answer):
    """Which proxy, and where it is named, and what it said."""

    def serve(connection):
        connection.recv(1000)
        connection.sendall(answer)
        connection.recv(1000)

    with server(serve if answer else lambda connection: connection.recv(1000)) as port:
        proxy = f"{scheme}://127.0.0.1:{port}"
        said = play(caplog, "wss://example.test/", proxy=proxy)
    assert explained(said) == row
    assert said.startswith((f"the proxy {proxy} (UserAgent(proxy=…)) ", "the server "))


@pytest.mark.requirements("HSK-13", "TMO-03")
def test_proxies_that_cannot_be(caplog, monkeypatch):
    """What is named wrongly, is not there, has a certificate of nobody, or says nothing."""
    monkeypatch.setenv("https_proxy", "ftp://user:s3cret@proxy.test")
    said = play(caplog, "ws://example.test/", proxy=None)
    assert explained(said) == "the proxy … (…) cannot be used: …" and "s3cret" not in said and "https_proxy" in said
    said = play(caplog, "ws://example.test/", proxy="http://proxy.invalid")
    assert explained(said) == "the proxy … (…) cannot be reached: …"
    said = play(caplog, "ws://[fd00::1]/", proxy="socks4://127.0.0.1:9")
    assert explained(said) == "the proxy … (…) cannot be reached: …"
    with server(lambda connection: connection.recv(1000)) as port:
        said = play(caplog, "ws://[fd00::1]/", proxy=f"socks4://127.0.0.1:{port}")
        assert explained(said) == "the proxy … (…) speaks SOCKS …"
    with tls_server(lambda context: None) as (port, _):
        said = play(caplog, "ws://example.test/", proxy=f"https://localhost:{port}")
        assert explained(said) == "the proxy … (…) has a certificate that cannot be trusted: …"
    with server(lambda connection: connection.recv(1000) and connection.recv(1000)) as port:
        said = play(caplog, "ws://example.test/", proxy=f"http://127.0.0.1:{port}", opening_timeout=0.7)
        assert explained(said).startswith("it was not open within …, ")
        assert said.endswith(f"waiting for the proxy http://127.0.0.1:{port} (UserAgent(proxy=…))")


REFUSALS = [
    (b"400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nno room 'x'\n", ["no room 'x'"]),
    (b"401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n", ["Authorization"]),
    (b"403 Forbidden\r\nContent-Type: application/problem+json\r\n\r\n{\"title\": \"go\"}", ['{"title": "go"}']),
    (b"429 Too Many\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n", ["429 Too Many", "Retry-After: 30"]),
    (b"503 Busy\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n", ["Wed, 21 Oct 2015"]),
    (b"302 Found\r\nLocation: https://u:s3cret@b.test/x?token=s3cret#s3cret\r\nContent-Length: 0\r\n\r\n", ["https://b.test/x"]),
    (b"302 Found\r\nLocation: https://[s3cret\r\nContent-Length: 0\r\n\r\n", ["it leads to another URL"]),
    (b"500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n", ['"abcdefg"']),
    (b"502 Bad\x1b[31m Gateway\r\nContent-Length: 5\r\n\r\n\x1b[2Jab", ["ab"]),
    (b"500 No\r\nContent-Type: text/html\r\n\r\n<html><title>It is\nlate</title><body>x</b", ["It is late"]),
    (b"500 No\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\x89PNG", []),
    (b"500 No\r\nContent-Type: text/plain\r\nContent-Length: 400\r\n\r\n" + b"long " * 80, ["long long", "…"]),
    (b"200 OK\r\nContent-Length: 2\r\n\r\nhi", ["is this the URL of a WebSocket?"]),
    (b"403 No\r\nContent-Length: 38\r\n\r\ntop-secret-token is not known, nor s3cret", ["is not known"]),
]  # fmt: skip


@pytest.mark.requirements("HID-01", "ERR-02")
@pytest.mark.parametrize(("answer", "words"), REFUSALS)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_what_a_refusal_says(caplog, monkeypatch, answer, words, size):
    """Its reason, however it is cut: escaped, shortened, and without what must stay secret."""
    monkeypatch.setattr(pyws.cpython.handshake, "REFUSAL_BODY_TIMEOUT", 60)  # a busy machine is slow

    async def main():
        async def refuse(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.set_write_buffer_limits(0)
            whole = b"HTTP/1.1 " + answer
            for position in range(0, len(whole), size):
                writer.write(whole[position : position + size])
                await asyncio.sleep(0)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with UserAgent(headers={"Authorization": "top-secret-token"}):
            ws = WebSocket(f"ws://u:s3cret@127.0.0.1:{port}/path?token=s3cret")
        await closed(ws)
        server.close()

    with caplog.at_level(logging.INFO, "pyws"):
        asyncio.run(main())
    (record,) = caplog.records
    line = record.getMessage()
    assert line.isprintable() and len(line) < 700
    assert "s3cret" not in line and "top-secret" not in line
    said = LINE.fullmatch(line)[3]
    assert explained(said) == "the server answered … instead of 101…"
    for word in words:
        assert word in said


@pytest.mark.requirements("HID-01")
@pytest.mark.parametrize(
    "repeated",
    [
        b"HTTP/1.1 404 Cannot GET /chat?token=q-s3cret\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 No\r\n\r\nno such token: header-s3cret, nor p@ss/s3cret, nor cookie-s3cret, nor q-s3cret",
        b"HTTP/1.1 403 No\r\n\r\n" + b"x" * 195 + b"header-s3cret",
        b"GET /chat?token=q-s3cret HTTP/1.1\r\nAuthorization: Bearer header-s3cret\r\n\r\n",
    ],
)
def test_no_secret_that_a_server_repeats(caplog, repeated):
    """Not at level DEBUG, not in parts, not decoded, not where it is cut."""

    async def main():
        async def repeat(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(repeated)
            writer.close()

        server = await asyncio.start_server(repeat, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        headers = {"Authorization": "Bearer header-s3cret", "Cookie": "a=1; sid=cookie-s3cret"}
        with UserAgent(proxy="", headers=headers):
            ws = WebSocket(f"ws://joe:p%40ss%2Fs3cret@127.0.0.1:{port}/chat?token=q-s3cret", "bearer.sub-s3cret")
        await closed(ws)
        server.close()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main())
    assert [record for record in caplog.records if record.name == "pyws"]
    assert not [record.getMessage() for record in caplog.records if re.search("s3c|header-", record.getMessage())]
    assert "s3cret" not in repr(UserAgent(headers={"Authorization": "s3cret"}, proxy="http://joe:s3cret@h:1"))


@pytest.mark.once
def test_every_row_of_the_table_was_provoked():
    """The last of this file: no row explains a line that does not exist."""
    assert set(ROWS) - provoked == set()
