"""What CPython makes of a URL's host: for DNS, for TLS, for the question whether it is this machine."""

import pytest
from pyws.cpython.url import dns_name, is_base, is_localhost, is_origin, is_secure, is_this_machine, parse, tls_name

SIXTY_THREE, SIXTY_FOUR = "a" * 63, "a" * 64
LONGEST = ".".join([SIXTY_THREE, SIXTY_THREE, SIXTY_THREE, "a" * 61])  # 253 bytes


@pytest.mark.parametrize(
    ("host", "dns", "tls"),
    [
        ("example.org", "example.org", "example.org"),
        ("example.org.", "example.org.", "example.org"),
        ("EXAMPLE.org", "example.org", "example.org"),
        ("a_b.example.org", "a_b.example.org", "a_b.example.org"),
        ("_x-.example.org", "_x-.example.org", "_x-.example.org"),
        ("b\xfccher.example", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("xn--zzzzzzzz.example", "xn--zzzzzzzz.example", "xn--zzzzzzzz.example"),
        ("*.example.org", "*.example.org", "*.example.org"),
        (f"{SIXTY_THREE}.org", f"{SIXTY_THREE}.org", f"{SIXTY_THREE}.org"),
        (LONGEST, LONGEST, LONGEST),
        (f"{LONGEST}.", f"{LONGEST}.", LONGEST),
        ("localhost.", "localhost.", "localhost"),
        ("127.1", "127.0.0.1", "127.0.0.1"),
        ("192.168.0.1.", "192.168.0.1", "192.168.0.1"),
        ("[::1]", "::1", "::1"),
        ("[0:0::FFFF]", "::ffff", "::ffff"),
    ],
)
def test_a_host_for_dns_and_for_tls(host, dns, tls):
    """DNS is asked with the last dot, TLS without; both take it as it is, so that Python encodes nothing anew."""
    host = parse(f"wss://{host}:8080/").host
    assert (dns_name(host), tls_name(host)) == (dns.encode(), tls)
    assert tls_name(host).encode("idna").decode() == tls


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("a..b", "label .* is empty"),
        (".a", "label .* is empty"),
        ("a.b..", "label .* is empty"),
        (".", "label .* is empty"),
        ("..", "label .* is empty"),
        ("localhost..", "label .* is empty"),
        (f"{SIXTY_FOUR}.org", "label .* has 64 bytes"),
        (f"a.{SIXTY_FOUR}", "label .* has 64 bytes"),
        (f"a.{SIXTY_FOUR}.", "label .* has 64 bytes"),
        (LONGEST + "a", "254 bytes"),
        (LONGEST + "a.", "254 bytes"),
        ("a." * 3000 + "org", "6003 bytes"),
    ],
)
def test_a_host_that_dns_cannot_have(host, reason):
    """An OSError that says why, in one short line, as if the resolver had answered."""
    host = parse(f"ws://{host}/").host
    for function in (dns_name, tls_name):
        with pytest.raises(OSError, match=reason) as raised:
            function(host)
        assert len(str(raised.value)) < 100


@pytest.mark.parametrize("host", ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1", "a b", "a%00b", "a|b", "1.2.3.256"])
def test_hosts_that_are_none(host):
    """The URL standard refuses them, zones too."""
    with pytest.raises(Exception, match="not a valid URL"):
        parse(f"ws://{host}/")


@pytest.mark.parametrize(
    ("host", "name", "machine"),
    [
        ("localhost", True, True),
        ("localhost.", True, True),
        ("LocalHost", True, True),
        ("app.localhost", True, True),
        ("a.b.localhost.", True, True),
        ("localhost..", False, False),
        ("notlocalhost", False, False),
        ("localhost.example.org", False, False),
        ("localhost.localdomain", False, False),
        ("[::1]", False, True),
        ("127.0.0.1", False, True),
        ("127.255.1.2", False, True),
        ("127.example.org", False, False),
        ("127.0.0.1.example.org", False, False),
        ("128.0.0.1", False, False),
        ("[::2]", False, False),
    ],
)
def test_this_machine(host, name, machine):
    """By its name or its address; nothing that merely begins or ends like them."""
    address = parse(f"ws://{host}:8080/")
    assert (is_localhost(address.host), is_this_machine(address.host)) == (name, machine)


def test_origins():
    """As browsers write them into the header, and in no other way."""
    origins = [
        "null",
        "file://",
        "https://example.org",
        "http://example.org:8080",
        "http://[::1]:81",
        "http://127.0.0.1",
    ]
    origins += [
        "https://xn--bcher-kva.example",
        "https://example.org.",
        "chrome-extension://abcdef",
        "app://localhost:1",
    ]
    assert [text for text in origins if not is_origin(text)] == []
    others = [
        "",
        "Null",
        "*",
        "example.org",
        "//example.org",
        "https://",
        "https://example.org/",
        "HTTPS://example.org",
    ]
    others += ["https://EXAMPLE.org", "https://example.org:443", "http://example.org:80", "https://example.org/path"]
    others += ["https://example.org?", "https://example.org#", "https://user:password@example.org", "http://127.1"]
    others += [" https://example.org", "https://example.org\n", "https://a, https://b", "https://b\xfccher.example"]
    others += [
        "data:text/plain,x",
        "about:blank",
        "blob:https://example.org/x",
        "file:///home",
        "https://a b",
        "\ud800",
    ]
    assert [text for text in others if is_origin(text)] == []


def test_bases():
    """What a relative URL can be relative to."""
    bases = ["https://example.org", "wss://example.org/chat?x#y", "HTTP://example.org/a/b", "file:///home/page.html"]
    assert [text for text in bases if not is_base(text)] == []
    others = ["", "/page", "page", "//example.org", "about:blank", "mailto:x", "data:,x", "https://", "https://a b"]
    assert [text for text in others if is_base(text)] == []
    assert is_secure("HTTPS://example.org") and is_secure("wss://example.org")
    assert not is_secure("http://example.org") and not is_secure("about:blank") and not is_secure("https")
