"""What a program's owner may decide on CPython, each setting seen on the wire."""

import asyncio
import contextlib
import datetime
import hashlib
import http.cookiejar
import http.cookies
import itertools
import os
import socket
import ssl
import threading
import time

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pyws import DOMException, UserAgent, WebSocket
from pyws.cpython import useragent
from pyws.cpython.url import parse

from peer import Peer
from proxies import Proxy
from resolver import resolving
from stage import FAILED, Stage

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


@pytest.mark.requirements("CKE-04", "CKE-09", "PYQ-22")
def test_origin_and_headers_are_sent_when_asked_for(peer):
    """The owner sets the Origin header and others; without an owner there is none."""
    agent = UserAgent(origin="http://example.org", headers={"Authorization": "Bearer x", "X-Trace": "7"})
    journal, headers = converse(peer, "accept", "close 1000", agent=agent)
    assert journal == DONE
    assert (headers["origin"], headers["authorization"], headers["x-trace"]) == ("http://example.org", "Bearer x", "7")
    journal, headers = converse(peer, "accept", "close 1000")
    assert journal == DONE
    assert not {"origin", "authorization", "cookie"} & set(headers)


@pytest.mark.parametrize(
    "name",
    ["Host", "Sec-WebSocket-Key", "sec-websocket-anything", "connection", "UPGRADE", "Origin", "Content-Length"]
    + ["Transfer-Encoding", "TE", "Trailer", "Expect", "Keep-Alive", "Proxy-Connection"]
    + ["a b", "", "X:", " X", "X ", "X\n", "X\0", "Имя", "\xdc", "X(", '"X"', "X/Y", "X,Y"],
)
def test_names_of_headers_that_cannot_be_set(name):
    """What belongs to the handshake, or to no HTTP, is refused at the call."""
    with pytest.raises(ValueError, match="^headers: .*header"):
        UserAgent(headers={name: "x"})


@pytest.mark.parametrize(
    "value",
    ["secret\r\nEvil: b", "secret\n", "secret\0", "\x7fsecret", "secret\x1b[31m", "secret Москва", "secret \ud800"]
    + ["secret ", " secret", "\tsecret", "secret\t", " "],
)
@pytest.mark.parametrize("name", ["Authorization", "cookie", "X-Key"])
def test_values_of_headers_that_cannot_be_set(name, value):
    """The exception names the header, and keeps the value to itself."""
    with pytest.raises(ValueError, match=f"^headers: .*{name}") as raised:
        UserAgent(headers={"X-Good": "x", name: value})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "headers",
    [{1: "x"}, {b"X": "x"}, {None: "x"}, {"X-Key": 1}, {"X-Key": None}, {"X-Key": b"secret"}, {"X-Key": ["a", "b"]}]
    + ["X-Key: x", [("X-Key", "x")], None, 7],
)
def test_headers_that_are_no_texts(headers):
    """A TypeError that names the setting."""
    with pytest.raises(TypeError, match="^headers") as raised:
        UserAgent(headers=headers)
    assert "secret" not in str(raised.value)


def test_a_header_is_set_once():
    """Names that differ in letter case only are the same."""
    with pytest.raises(ValueError, match="^headers: the header x-key is there twice"):
        UserAgent(headers={"X-Key": "x", "x-key": "y"})


def test_secrets_are_not_shown():
    """Neither in an exception, when a value is where the name should be, nor by `repr`."""
    with pytest.raises(ValueError, match="'Authorization' is not the name") as raised:
        UserAgent(headers={"Authorization: Bearer secret": ""})
    assert "secret" not in str(raised.value)
    jar = http.cookiejar.CookieJar()
    agent = UserAgent(headers={"Authorization": "secret"}, cookies=jar)
    agent.keep_cookies(parse("ws://example.org/"), [("Set-Cookie", "a=secret")])
    assert len(jar) == 1 and "secret" not in repr(agent)


def test_headers_are_those_of_the_call(peer):
    """What becomes of the caller's dict later changes nothing, and the agent's own cannot be changed."""
    headers = {"X-Trace": "7", "X-Letters": "caf\xe9"}
    agent = UserAgent(headers=headers)
    headers["X-Trace"] = "8\r\nEvil: yes"
    headers["Host"] = "evil"
    with pytest.raises(TypeError):
        agent.headers["X-Evil"] = "yes"
    journal, sent = converse(peer, "accept", "close 1000", agent=agent)
    assert journal == DONE
    assert (sent["x-trace"], sent["x-letters"], sent["host"]) == ("7", "caf\xe9", peer.origin.removeprefix("ws://"))


NAN, INFINITE = float("nan"), float("inf")
TIMES = ["opening_timeout", "closing_timeout", "ping_interval", "ping_timeout"]
SIZES = ["max_size", "max_buffered"]


@pytest.mark.parametrize("value", [0, 0.0, -1, -0.5, NAN, -INFINITE, 10**400], ids=lambda value: str(value)[:9])
@pytest.mark.parametrize("name", TIMES)
def test_times_that_cannot_be(name, value):
    """They are positive numbers."""
    with pytest.raises(ValueError, match=f"^{name} must be"):
        UserAgent(**{name: value})


@pytest.mark.parametrize("value", [0, -1, -(10**30)])
@pytest.mark.parametrize("name", SIZES)
def test_sizes_that_cannot_be(name, value):
    """They are positive."""
    with pytest.raises(ValueError, match=f"^{name} must be"):
        UserAgent(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in TIMES for value in ("5", b"5", True, [5], 5j)]
    + [(name, None) for name in TIMES if name != "ping_interval"]
    + [(name, value) for name in SIZES for value in ("5", b"5", True, 5.0, INFINITE, NAN)]
    + [(name, value) for name in ("compression", "blocked_ports") for value in ("no", None, 0, 1)]
    + [(name, value) for name in ("origin", "base") for value in (b"http://example.org", 5, True, ["http://a"])]
    + [("authorities", value) for value in (b"authority.pem", 5, True, ["authority.pem"])]
    + [("tls", value) for value in ("tls", True, ssl.PROTOCOL_TLS_CLIENT, ssl.SSLContext)]
    + [("cookies", value) for value in ({"a": "1"}, "a=1", True, http.cookies.SimpleCookie("a=1"))]
    + [("base", None)],
)
def test_settings_of_a_wrong_type(name, value):
    """A TypeError that names the setting."""
    with pytest.raises(TypeError, match=f"^{name} must be"):
        UserAgent(**{name: value})


@pytest.mark.parametrize(
    "setting",
    [
        {"origin": "https://example.org/"},
        {"origin": "example.org"},
        {"origin": ""},
        {"origin": "https://user:secret@example.org"},
        {"origin": "https://example.org\r\nEvil: b"},
        {"base": ""},
        {"base": "/chat"},
        {"base": "mailto:user@example.org"},
        {"ping_interval": INFINITE},
        {"tls": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)},
        {"tls": object(), "authorities": "x"},
    ],
    ids=" ".join,
)
def test_settings_that_cannot_be_are_refused(setting):
    """A clear exception at the call, not later."""
    with pytest.raises(ValueError, match=next(iter(setting))) as raised:
        UserAgent(**setting)
    assert "secret" not in str(raised.value)


def test_settings_that_can_be():
    """No time is too long, and what the documentation of `ssl` has is taken."""
    UserAgent(opening_timeout=INFINITE, closing_timeout=1, ping_timeout=1e300, ping_interval=0.01, max_size=1)
    UserAgent(tls=ssl.create_default_context(), cookies=http.cookiejar.LWPCookieJar(), base="about:blank")
    UserAgent(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), origin="null", headers={"X-Empty": "", "X-Tab": "a\tb"})


def revocation_list():
    """A PEM file that OpenSSL reads without an error, and that has no certificate."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    today = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(today).next_update(today)
    revocations = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return revocations.public_bytes(serialization.Encoding.PEM)


def test_authorities_that_cannot_be_read(tmp_path):
    """Missing, no file, without a certificate, damaged, another PEM: a ValueError with its name, at once."""
    nothing, damaged, revoked = (tmp_path / name for name in ("nothing.pem", "damaged.pem", "revoked.pem"))
    nothing.write_text("# No certificate here.\n")
    damaged.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    revoked.write_bytes(revocation_list())
    for path, reason in [
        (tmp_path / "missing.pem", "No such file"),
        (tmp_path, "directory"),
        (nothing, "no certificate"),
        (damaged, "damaged"),
        (revoked, "no certificate"),
        ("", "No such file"),
        ("\0", "cannot be read"),
    ]:
        with pytest.raises(ValueError, match=f"^authorities: .*{reason}"):
            UserAgent(authorities=path)


@pytest.mark.requirements("CKE-01", "CKE-02")
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


@pytest.mark.requirements("CKE-03")
@pytest.mark.parametrize("status", ["401 Unauthorized", "302 Found", "403 Forbidden", "429 Too Many Requests"])
@pytest.mark.parametrize(
    "rest",
    [
        r"Content-Length: 0\r\n\r\n",
        r"Content-Length: 2\r\n\r\nno",
        r"Content-Length: 100\r\n\r\nno",
        r"Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        r"\r\nno",
    ],
    ids=["no body", "body", "half a body", "chunked", "until the end"],
)
def test_cookies_of_refusals_are_kept(peer, status, rest):
    """Whatever its status and its body (RFC 6265, 3)."""
    jar = http.cookiejar.CookieJar()
    head = rf"head HTTP/1.1 {status}\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/\r\n{rest}"
    assert converse(peer, head, "fin", agent=UserAgent(cookies=jar))[0] == FAILED
    assert {cookie.name: cookie.value for cookie in jar} == {"a": "1", "b": "2"}


def kept(url, *set_cookies):
    """What a jar has after these Set-Cookie headers, and the Cookie header that it makes of them for the same URL."""
    jar = http.cookiejar.CookieJar()
    agent = UserAgent(cookies=jar)
    agent.keep_cookies(parse(url), [("set-COOKIE", value) for value in set_cookies])
    return {cookie.name: cookie.value for cookie in jar}, agent.cookie_for(parse(url))


def test_each_of_several_cookies_is_kept(recwarn):
    """One that cannot be read takes none of the others with it, and nothing is raised or warned of."""
    broken = ["", "=", "; ;", "=x", "x=\0", "x=\x7f", "x=\ud800", "x=1; Expires=Wed, 99-99-9999 99:99:99", "x=\r\ny=2"]
    for each in broken:
        names, sent = kept("ws://example.org/", "a=1", each, "b=2")
        names.pop("x", None)
        assert names == {"a": "1", "b": "2"}
        assert {"a=1", "b=2"} <= set(sent.split("; "))
    assert not recwarn


@pytest.mark.parametrize(
    ("attributes", "is_kept"),
    [
        ("Max-Age=60", True),
        ("Max-Age=0", False),
        ("Max-Age=-5", False),
        ("Max-Age=99999999999999999999999", True),
        ("Max-Age=060; Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
        ("Max-Age=soon", True),
        ("Max-Age=", True),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", False),
        ("Expires=Thu, 01 Jan 2099 00:00:00 GMT", True),
        ("Expires=never", True),
        ("Path", True),
        ("Path=", True),
        ("Path=room", True),
        ("Path=/room", True),
        ("Path=/elsewhere", False),
        ("Domain", True),
        ("Domain=", True),
        ("Domain=.", True),
        ("Domain=example.org", True),
        ("Domain=.Example.ORG", True),
        ("Domain=chat.example.org", True),
        ("Domain=other.example.org", False),
        ("Domain=org", False),
        ("Domain=example.com", False),
        ("Secure", False),
        ("secure=no", False),
        ("HttpOnly", True),
        ("SameSite=Strict; HttpOnly", True),
        ("SameSite=None; Partitioned; Priority=High", True),
        ("Version=x; Port=abc; Discard; Comment=\xe9", True),
    ],
)
def test_attributes_of_a_cookie(attributes, is_kept):
    """Those of RFC 6265 are heeded, what they cannot be and others are passed over: by `ws:`, from the same URL."""
    assert kept("ws://chat.example.org/room/1", f"a=1; {attributes}")[1] == ("a=1" if is_kept else None)


@pytest.mark.parametrize(
    ("url", "set_cookie", "other", "goes_there"),
    [
        ("wss://example.org/", "a=1; Secure", "wss://example.org/", True),
        ("wss://example.org/", "a=1; Secure", "ws://example.org/", False),
        ("wss://example.org/", "a=1", "ws://example.org:8080/", True),
        ("wss://user:password@example.org/", "a=1", "wss://example.org/", True),
        ("ws://example.org/", "a=1", "ws://example.com/", False),
        ("ws://example.org/", "a=1; Domain=example.org", "ws://chat.example.org/", True),
        ("ws://localhost/", "a=1", "ws://localhost:81/", True),
        ("ws://localhost/", "a=1; Domain=localhost", "ws://localhost/", True),
        ("ws://localhost/", "a=1; Domain=localhost", "ws://app.localhost/", False),
        ("ws://app.localhost/", "a=1", "ws://app.localhost/", True),
        ("ws://app.localhost/", "a=1", "ws://other.localhost/", False),
        ("ws://app.localhost/", "a=1; Domain=app.localhost", "ws://app.localhost/", True),
        ("ws://app.localhost/", "a=1; Domain=localhost", "ws://localhost/", False),
        ("ws://127.0.0.1:1/", "a=1", "ws://127.0.0.1:2/", True),
        ("ws://127.0.0.1/", "a=1; Domain=127.0.0.1", "ws://127.0.0.1/", True),
        ("ws://127.0.0.1/", "a=1; Domain=0.0.1", "ws://127.0.0.1/", False),
        ("ws://127.0.0.1/", "a=1", "ws://127.0.0.2/", False),
        ("ws://[::1]:1/", "a=1", "ws://[::1]:2/", True),
        ("ws://[::1]/", "a=1; Domain=[::1]", "ws://[::1]/", True),
        ("ws://[::1]/", "a=1", "ws://[::2]/", False),
    ],
)
def test_where_a_cookie_goes(url, set_cookie, other, goes_there):
    """`ws:` is `http:` to a jar and `wss:` is `https:`; an address or a name without a dot has no domains below it."""
    agent = UserAgent(cookies=http.cookiejar.CookieJar())
    agent.keep_cookies(parse(url), [("Set-Cookie", set_cookie)])
    assert agent.cookie_for(parse(other)) == ("a=1" if goes_there else None)


def test_bytes_of_a_cookie_that_are_no_ascii_come_back(peer):
    """As they came."""
    agent = UserAgent(cookies=http.cookiejar.CookieJar())
    lines = ["HTTP/1.1 101 Yes", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: {accept}"]
    lines += [r"Set-Cookie: a=\xc3\xa9\xff", "Set-Cookie: b=2", "", ""]
    assert converse(peer, "head " + r"\r\n".join(lines), "close 1000", agent=agent)[0] == DONE
    journal, headers = converse(peer, "accept", "close 1000", agent=agent)
    assert journal == DONE
    assert sorted(headers["cookie"].split("; ")) == ["a=\xc3\xa9\xff", "b=2"]


def test_a_cookie_that_is_no_header_fails_the_connection(peer, caplog):
    """The owner's own jar may have anything; the log does not tell what."""
    for value in ("secret\r\nEvil: b", "secret Москва"):
        jar = http.cookiejar.CookieJar()
        agent = UserAgent(cookies=jar)
        agent.keep_cookies(parse(peer.origin), [("Set-Cookie", "a=1")])
        next(iter(jar)).value = value
        caplog.clear()

        async def conversation(agent=agent):
            stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
            with agent:
                ws = stage.connect("accept")
            await stage.closed(ws)
            return stage.journal

        assert asyncio.run(conversation()) == FAILED
        assert "a cookie of the jar" in caplog.text and "secret" not in caplog.text


def sent(peer, agent, *parts, credentials=""):
    """The headers of the last request of a conversation, as they came; each part is for one request."""

    async def conversation():
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        with agent:
            ws = WebSocket(stage.address(*parts, origin=peer.origin.replace("//", f"//{credentials}")))
        stage.adopt(ws)
        await stage.closed(ws)
        assert stage.journal == DONE
        return peer.records[stage._keys[id(ws)]].request[1:]

    return asyncio.run(conversation())


def named(lines, name):
    """The lines of a header, in any letter case."""
    return [line for line in lines if line.lower().startswith(name.lower() + ":")]


@pytest.mark.requirements("CKE-01", "CKE-06", "CKE-09")
def test_each_header_is_sent_once_whoever_sets_it(peer):
    """The owner's take the place of ours and of the jar's, in any letter case."""
    jar = http.cookiejar.CookieJar()
    agent = UserAgent(cookies=jar)
    agent.keep_cookies(parse(peer.origin), [("Set-Cookie", "jar=1; Path=/")])
    ours = [line.partition(":")[0].lower() for line in sent(peer, agent, ["accept", "close 1000"])]
    assert len(ours) == len(set(ours)) and "cookie" in ours
    owners = {"user-AGENT": "me", "PRAGMA": "mine", "cache-control": "max-age=1", "COOKIE": "own=1"}
    owners["authorization"] = "Bearer x"
    lines = sent(peer, UserAgent(cookies=jar, headers=owners), ["accept", "close 1000"])
    for name, value in owners.items():
        assert named(lines, name) == [f"{name}: {value}"]
    assert sorted(line.partition(":")[0].lower() for line in lines) == sorted([*ours, "authorization"])


@pytest.mark.requirements("CKE-07")
def test_credentials_of_the_url_answer_a_challenge_once(peer):
    """They go out when the server asks; when it refuses the owner's Authorization, in the place of that."""
    refusal = r"head HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
    parts = [[refusal, "fin"], ["accept", "close 1000"]]
    basic = "Authorization: Basic dXNlcjpwYXNz"
    agent = UserAgent(headers={"AUTHORIZATION": "Bearer x"})
    assert named(sent(peer, agent, parts[1], credentials="user:pass@"), "authorization") == ["AUTHORIZATION: Bearer x"]
    for each in (agent, UserAgent()):
        assert named(sent(peer, each, *parts, credentials="user:pass@"), "authorization") == [basic]


@pytest.mark.requirements("HSK-12")
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


@pytest.fixture
def second():
    """A server with a certificate of another authority."""
    with Peer(tls=True) as peer:
        yield peer


@pytest.fixture
def first():
    """A server with a certificate."""
    with Peer(tls=True) as peer:
        yield peer


class Place:
    """Where the authority of a user agent is read from."""

    def __init__(self, kind, folder, monkeypatch):
        self.kind = kind
        self.path = folder / "authority.pem"
        if kind == "SSL_CERT_FILE":
            monkeypatch.setenv(kind, str(self.path))

    def agent(self):
        return UserAgent(authorities=self.path) if self.kind == "authorities" else UserAgent()

    def write(self, text):
        """Write the file anew; as it was, but for what it says and when."""
        self.path.write_bytes(text)

    def replace(self, text):
        """Put another file in its place, which claims to be as old."""
        times = self.path.stat()
        other = self.path.with_suffix(".new")
        other.write_bytes(text)
        os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
        other.replace(self.path)


@pytest.mark.requirements("HSK-12")
@pytest.mark.parametrize("kind", ["authorities", "SSL_CERT_FILE"])
def test_authorities_are_read_again_when_their_file_changes(first, second, tmp_path, monkeypatch, caplog, kind):
    """Written anew, replaced, damaged and repaired; what did not change is not read again."""
    one, two = first.authority.cert_pem.bytes(), second.authority.cert_pem.bytes()
    place = Place(kind, tmp_path, monkeypatch)
    place.write(one)
    agent = place.agent()
    assert converse(first, "accept", "close 1000", agent=agent)[0] == DONE
    assert converse(second, "accept", "close 1000", agent=agent)[0] == FAILED
    assert agent.context() is agent.context()
    for change in (place.write, place.replace):
        change(two)
        assert converse(second, "accept", "close 1000", agent=agent)[0] == DONE
        assert converse(first, "accept", "close 1000", agent=agent)[0] == FAILED
        change(one)
        assert converse(first, "accept", "close 1000", agent=agent)[0] == DONE
    for damaged in (one[:100], b"", None):
        place.path.unlink() if damaged is None else place.write(damaged)
        for _ in range(2):
            caplog.clear()
            assert converse(first, "accept", "close 1000", agent=agent)[0] == FAILED
            assert len(caplog.messages) == 1 and f"failed: {kind}: '{place.path}' " in caplog.text
        with pytest.raises(OSError, match=f"^{kind}: "):
            agent.load()
        place.write(one)
        assert converse(first, "accept", "close 1000", agent=agent)[0] == DONE


@pytest.mark.requirements("HSK-12")
def test_a_folder_of_authorities_is_read_again(first, second, tmp_path, monkeypatch):
    """SSL_CERT_DIR: files that come, change and go, each called by a hash of whom it certifies."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(useragent, "FOLDER_CHECK", 0)
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join([str(tmp_path / "missing"), str(folder)]))
    for server in (first, second):  # their authorities get one name, as that of a renewed one is
        server.authority = trustme.CA(organization_name="One", organization_unit_name="and the same")
        server.authority.issue_cert("127.0.0.1").configure_cert(server._context)
    agent = UserAgent()
    assert converse(first, "accept", "close 1000", agent=agent)[0] == FAILED
    for server, other in [(first, second), (second, first)]:
        (folder / hash_of(server.authority)).write_bytes(server.authority.cert_pem.bytes())
        assert converse(server, "accept", "close 1000", agent=agent)[0] == DONE
        assert converse(other, "accept", "close 1000", agent=agent)[0] == FAILED
        assert agent.context() is agent.context()
    (folder / hash_of(second.authority)).unlink()
    assert converse(second, "accept", "close 1000", agent=agent)[0] == FAILED


def hash_of(authority):
    """The name of the file in which OpenSSL looks for an authority: of its subject, in lower case."""
    subject = x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject
    canonical = x509.Name([x509.NameAttribute(part.oid, part.value.lower()) for part in subject]).public_bytes()
    return hashlib.sha1(canonical[2:]).digest()[3::-1].hex() + ".0"  # without the tag and the length


@contextlib.contextmanager
def slow_file(path, text):
    """A file that can be opened at once and read only after the event that this gives, or at the end."""
    os.mkfifo(path)
    ready = threading.Event()

    def write():
        with path.open("wb") as file:  # as soon as somebody reads
            ready.wait()
            file.write(text)

    thread = threading.Thread(target=write)
    thread.start()
    yield ready
    ready.set()
    thread.join()


@pytest.mark.requirements("HSK-12")
def test_the_loop_does_not_wait_for_certificates(peer, first, tmp_path, monkeypatch):
    """While they are read, other connections open and close; then the one that waits opens."""
    path = tmp_path / "authorities.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    async def conversation(ready):
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        secure = stage.connect("accept", "close 1000", origin=first.origin, name="secure")
        await stage.closed(stage.connect("accept", "close 1000"))
        ready.set()
        await stage.closed(secure)
        return stage.journal

    with slow_file(path, first.authority.cert_pem.bytes()) as ready:
        assert asyncio.run(conversation(ready)) == [*DONE, *[f"secure {row}" for row in DONE]]


def test_certificates_are_read_once_for_all_who_wait(first, tmp_path, monkeypatch):
    """Two ask while the file is read, which gives its text only once."""
    path = tmp_path / "authorities.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    async def contexts(ready):
        waiting = [asyncio.ensure_future(UserAgent().context_soon()) for _ in range(2)]
        await asyncio.sleep(0)
        ready.set()
        async with asyncio.timeout(10):
            return await asyncio.gather(*waiting)

    with slow_file(path, first.authority.cert_pem.bytes()) as ready:
        one, other = asyncio.run(contexts(ready))
    assert one is other


@pytest.mark.requirements("HSK-12", "TMO-03")
def test_certificates_have_no_more_time_than_the_opening(first, tmp_path, monkeypatch):
    """A file that cannot be read to its end fails the connection in time, and the program goes on."""
    path = tmp_path / "authorities.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with slow_file(path, first.authority.cert_pem.bytes()):
        assert converse(first, "accept", agent=UserAgent(opening_timeout=0.2))[0] == FAILED


def test_certificates_are_loaded_ahead(first, tmp_path):
    """In any thread; a connection finds them."""
    path = tmp_path / "authority.pem"
    first.authority.cert_pem.write_to_path(str(path))
    agent = UserAgent(authorities=str(path))

    async def program():
        await asyncio.to_thread(agent.load)
        loaded = agent.context()
        assert await agent.context_soon() is loaded

    asyncio.run(program())
    assert converse(first, "accept", "close 1000", agent=agent)[0] == DONE
    UserAgent(tls=ssl.create_default_context()).load()


@pytest.mark.requirements("HSK-12", "HSK-01")
@pytest.mark.parametrize(
    ("host", "names", "sni"),
    [
        ("example.test", ["example.test"], "example.test"),
        ("example.test.", ["example.test"], "example.test"),
        ("EXAMPLE.test", ["example.test"], "example.test"),
        ("chat.example.test.", ["*.example.test"], "chat.example.test"),
        ("b\xfccher.test", ["b\xfccher.test"], "xn--bcher-kva.test"),
        ("127.0.0.1", ["127.0.0.1"], None),
        ("127.1", ["127.0.0.1"], None),
        ("[::1]", ["::1"], None),
        ("[0:0::1]", ["::1"], None),
    ],
)
def test_the_host_in_tls(tmp_path, monkeypatch, host, names, sni):
    """In SNI, where no address is, and in the certificate; the resolver and the Host header get the last dot."""
    resolving(monkeypatch, {parse(f"wss://{host}").host: ["192.0.2.1"]} if sni else {})
    with Peer(tls=True, names=names) as secure:
        path = tmp_path / "authority.pem"
        secure.authority.cert_pem.write_to_path(str(path))
        journal, record = reach(secure, f"wss://{host}", UserAgent(authorities=path), "accept", "close 1000")
        assert journal == DONE
        assert record.tls[0] == sni
        assert named(record.request, "host") == [f"Host: {parse(f'wss://{host}/').href[6:-1]}"]


@pytest.mark.requirements("HSK-12")
@pytest.mark.parametrize(
    ("host", "names", "common_name"),
    [
        ("example.test", ["other.test"], None),
        ("a.b.example.test", ["*.example.test"], None),
        ("example.test", ["*.example.test"], None),
        ("127.0.0.1", ["127.0.0.2"], None),
        ("[::1]", ["127.0.0.1", "::2"], None),
        ("example.test", [], "example.test"),
    ],
)
def test_certificates_for_another_host(tmp_path, monkeypatch, caplog, host, names, common_name):
    """The connection fails; what certificates once had for a name of the host is none any more."""
    resolving(monkeypatch, {name: ["192.0.2.1"] for name in ("example.test", "a.b.example.test")})
    with Peer(tls=True) as secure:
        secure.authority.issue_cert(*names, common_name=common_name).configure_cert(secure._context)
        path = tmp_path / "authority.pem"
        secure.authority.cert_pem.write_to_path(str(path))
        assert reach(secure, f"wss://{host}", UserAgent(authorities=path), "accept")[0] == FAILED
        assert len(caplog.messages) == 1 and "certificate cannot be trusted" in caplog.text


def reach(peer, origin, agent, *verbs):
    """Hold one conversation with a server at which every address leads to that peer: its journal and record."""

    class Loop(asyncio.SelectorEventLoop):
        async def sock_connect(self, sock, address):
            here = "127.0.0.1" if sock.family == socket.AF_INET else "::ffff:127.0.0.1"
            await super().sock_connect(sock, (here, peer.port))

    async def conversation():
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        with agent:
            ws = stage.connect(*verbs, origin=origin)
        await stage.closed(ws)
        return stage.journal, peer.records[stage._keys[id(ws)]]

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(conversation())


@pytest.mark.requirements("HSK-12")
@pytest.mark.parametrize("host", ["localhost", "localhost.", "app.localhost", "a.b.localhost."])
def test_localhost_is_this_machine_whatever_the_resolver_says(tmp_path, monkeypatch, host):
    """By TLS, too, and no mixed content without."""
    resolving(monkeypatch, {host: []})
    agent = UserAgent(origin="https://example.org")
    with Peer() as peer:
        assert converse(peer, "accept", "close 1000", agent=agent, origin=f"ws://{host}:{peer.port}")[0] == DONE
    with Peer(tls=True, names=["localhost", "app.localhost", "a.b.localhost"]) as secure:
        path = tmp_path / "authority.pem"
        secure.authority.cert_pem.write_to_path(str(path))
        agent = UserAgent(authorities=path)
        assert converse(secure, "accept", "close 1000", agent=agent, origin=f"wss://{host}:{secure.port}")[0] == DONE


@pytest.mark.requirements("HID-01")
@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize(
    ("host", "reason"),
    [("a..b", "is empty"), (".", "is empty"), ("a" * 64 + ".test", "64 bytes"), ("a." * 200, "399 bytes")],
    ids=["empty", "dot", "label", "name"],
)
def test_a_name_that_dns_cannot_have_fails_the_connection(peer, caplog, scheme, host, reason):
    """Like one that it does not know, and the log says why."""
    assert converse(peer, "accept", origin=f"{scheme}://{host}")[0] == FAILED
    assert len(caplog.messages) == 1 and "could not be resolved" in caplog.text and reason in caplog.text


@pytest.mark.requirements("HSK-13")
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_is_used(peer, scheme):
    """The proxy is asked for the server's address, and what follows is the same."""
    with Proxy(scheme) as proxy:
        assert converse(peer, "accept", "close 1000", agent=UserAgent(proxy=proxy.url))[0] == DONE
        assert proxy.asked == [f"127.0.0.1:{peer.port}"]


@pytest.mark.requirements("HSK-13")
def test_proxies_of_the_environment(peer, monkeypatch):
    """http_proxy is honoured, no_proxy and `proxy=""` too; this machine is behind a proxy only if that is asked for."""
    with Proxy("http") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert converse(peer, "accept", "close 1000")[0] == DONE
        assert len(proxy.asked) == 0
        monkeypatch.setenv("no_proxy", "<-loopback>")
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


@pytest.mark.requirements("PMD-01")
def test_compression_can_be_switched_off(peer):
    """No offer then; by default Chromium's."""
    assert (
        "sec-websocket-extensions" not in converse(peer, "accept", "close 1000", agent=UserAgent(compression=False))[1]
    )
    offer = converse(peer, "accept", "close 1000")[1]["sec-websocket-extensions"]
    assert offer == "permessage-deflate; client_max_window_bits"


@pytest.mark.requirements("PMD-09", "FRM-11")
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


@pytest.mark.requirements("BUF-13")
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
        ws.send("and more")
        stage.note(f"overfull {ws.readyState}")
        await stage.closed(ws)
        return stage.journal

    assert asyncio.run(conversation()) == ["open 1", "full 1", "overfull 1", *FAILED]


@pytest.mark.requirements("TMO-03")
def test_the_opening_timeout(peer, caplog):
    """A server that says nothing fails the connection in time."""
    start = time.monotonic()
    assert converse(peer, "hang", agent=UserAgent(opening_timeout=0.2))[0] == FAILED
    assert 0.2 <= time.monotonic() - start < 2
    assert "within opening_timeout, 0.2 seconds" in caplog.text


@pytest.mark.requirements("TMO-01")
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


@pytest.mark.requirements("PNG-04")
def test_pings_are_sent_only_when_asked_for(peer):
    """A server that answers stays, one that is silent fails the connection; by default nobody asks."""

    async def conversation(agent, *verbs):
        stage = Stage(peer.origin, f"agent-{next(keys)}", "cpython")
        with agent:
            ws = stage.connect(*verbs)
        await stage.opened(ws)
        if agent.ping_interval is None:
            await stage.sleep(0.6)
            ws.close()
        await stage.closed(ws)
        return stage.journal, list(peer.records[stage._keys[id(ws)]].frames)

    lively = UserAgent(ping_interval=0.05, ping_timeout=1)
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
        with UserAgent(ping_interval=0.02, ping_timeout=1, closing_timeout=2):
            ws = stage.connect("accept", "stall")
        await stage.opened(ws)
        await stage.sleep(0.05)
        ws.close()
        await stage.closed(ws)
        return stage.journal

    assert asyncio.run(conversation()) == ["open 1", "close 3 unclean 1006 ''"]


@pytest.mark.requirements("CON-14")
def test_mixed_content_is_refused_at_the_call(peer):
    """With a secure origin or base URL an insecure URL raises, unless it leads to this machine."""

    async def conversation(agent):
        with agent, pytest.raises(DOMException) as raised:
            WebSocket("ws://example.org/")
        assert raised.value.name == "SecurityError"

    asyncio.run(conversation(UserAgent(origin="https://example.org")))
    asyncio.run(conversation(UserAgent(base="https://example.org/page")))
    assert converse(peer, "accept", "close 1000", agent=UserAgent(origin="https://example.org"))[0] == DONE


@pytest.mark.requirements("PYQ-7", "CON-04")
def test_relative_urls_have_the_base_of_the_user_agent(peer):
    """As in a page; without a base they are no URLs."""

    async def conversation():
        with UserAgent(base=peer.origin.replace("ws", "http") + "/folder/page?x"):
            ws = WebSocket("chat")
        ws.close()
        return ws.url

    assert asyncio.run(conversation()) == f"{peer.origin}/folder/chat"


@pytest.mark.requirements("CON-13")
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
