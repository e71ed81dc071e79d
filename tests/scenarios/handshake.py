"""The opening handshake and what it negotiates: requests, answers good and bad, subprotocols, permessage-deflate."""

from pyws import WebSocket

from notation import show
from stage import FAILED, scenario

OPENED = ["open 1", "close 3 clean 1005 ''"]
DEFLATE = "permessage-deflate"
COMPRESSED = f"header Sec-WebSocket-Extensions: {DEFLATE}"

UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: {accept}")
SWITCHING = "HTTP/1.1 101 Switching Protocols"


def head(status, *lines, end=r"\r\n"):
    """The verb for an answer of these lines."""
    return "head " + end.join([status, *lines, "", ""])


def answer(*lines):
    """The verbs for a complete answer, with `lines` besides the three headers it needs, and a Close."""
    return [head(SWITCHING, *UPGRADE, *lines), "close"]


def header(request, name):
    """The values of a header in a request."""
    found = [line.partition(":")[2].strip() for line in request if line.lower().startswith(name.lower() + ":")]
    return ", ".join(found) if found else None


async def play(stage, cases, protocols=None):
    """One connection per case, a list of verbs."""
    for verbs in cases:
        await stage.closed(stage.connect(*verbs, protocols=protocols))


# The request


@scenario("HSK-01", "CKE-06", "SUB-09")
async def the_request_asks_for_a_websocket(stage):
    """GET with the URL's path and query, Host with the port, and the headers of RFC 6455, 4.1."""
    ws = stage.connect("accept", "close", journal=False)
    await stage.closed(ws)
    request = await stage.request(ws)
    scheme, _, rest = ws.url.partition("://")
    host, _, path = rest.partition("/")
    stage.note(request[0] == f"GET /{path} HTTP/1.1")
    stage.note(header(request, "host") == host)
    for name in ("Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Pragma", "Cache-Control"):
        stage.note(f"{name}: {header(request, name)}")
    connection, cache = "Connection: Upgrade", "no-cache"
    if stage.engine == "node":  # Deviation: HSK-01, Node
        connection = "Connection: upgrade"
    if stage.engine in ("deno", "bun"):  # Deviation: CKE-06, Deno and Bun
        cache = None
    return [
        True,
        True,
        "Upgrade: websocket",
        connection,
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: None",
        f"Pragma: {cache}",
        f"Cache-Control: {cache}",
    ]


@scenario("HSK-02")
async def every_connection_has_a_key_of_its_own(stage):
    """16 bytes in base64, different each time."""
    keys = []
    for _ in range(3):
        ws = stage.connect("accept", "close", journal=False)
        await stage.closed(ws)
        request = await stage.request(ws)
        keys.append(header(request, "Sec-WebSocket-Key"))
    stage.note(f"lengths {[len(key) for key in keys]}, padded {[key[22:] for key in keys]}, different {len(set(keys))}")
    return ["lengths [24, 24, 24], padded ['==', '==', '=='], different 3"]


@scenario("CKE-04", "CKE-05")
async def the_page_has_an_origin_and_sends_no_referrer(stage):
    """A page's Origin is sent, without its path; a program has none by default; nobody sends Referer."""
    ws = stage.connect("accept", "close", journal=False)
    await stage.closed(ws)
    request = await stage.request(ws)
    origin = header(request, "Origin")
    stage.note("no origin" if origin is None else f"origin {origin.rpartition(':')[0]}")
    stage.note(f"referer {header(request, 'Referer')}")
    if stage.engine in ("cpython", "node", "deno", "bun"):  # Deviation: CKE-04, CPython, Node, Deno and Bun
        return ["no origin", "referer None"]
    return ["origin http://127.0.0.1", "referer None"]


@scenario("CKE-01", "CKE-02")
async def cookies_are_kept_where_there_is_a_store(stage):
    """A browser has stored the answer's cookie before `open` fires, HttpOnly or not; a program has no store."""
    ws = stage.connect("header Set-Cookie: pyws=1; HttpOnly", "accept", "until close", journal=False)
    later = []

    def connect_again(_):
        later.append(stage.connect("header Set-Cookie: pyws=; Max-Age=0", "accept", "close", journal=False))
        ws.close()

    ws.onopen = connect_again
    await stage.closed(ws)
    await stage.closed(*later)
    request = await stage.request(later[0])
    stage.note(f"cookie {header(request, 'Cookie')}")
    if stage.engine in ("cpython", "node", "deno", "bun"):  # Deviation: CKE-01, CPython, Node, Deno and Bun
        return ["cookie None"]
    return ["cookie pyws=1"]


@scenario("CKE-03")
async def a_refusal_with_a_cookie_looks_like_any_other(stage):
    """Set-Cookie on a failed handshake shows nowhere in the interface."""
    await play(stage, [[head("HTTP/1.1 403 Forbidden", "Set-Cookie: pyws=; Max-Age=0", "Content-Length: 0")]])
    return FAILED


@scenario("CKE-09")
async def there_is_no_way_to_give_headers(stage):
    """The constructor takes a URL and subprotocols and nothing else."""
    stage.attempt(lambda: WebSocket("ws://127.0.0.1/", [], {"headers": {"X-Token": "1"}}))
    stage.attempt(lambda: WebSocket("ws://127.0.0.1/", headers={"X-Token": "1"}))
    return ["raised TypeError"] * 2


@scenario("CKE-07")
async def credentials_follow_a_challenge(stage):
    """The URL's user and password, percent-decoded, are sent when a 401 asks for them, not before."""
    origin = stage.origin.replace("://", "://us%20er:p%C3%A4ss@")
    ws = stage.connect('challenge Basic realm="pyws"', "accept", "close", origin=origin)
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    if stage.engine == "webkit":  # Deviation: CKE-07, WebKit
        return [*FAILED, "heard no credentials"]
    credentials = "dXMgZXI6cMOkc3M="
    if stage.engine == "node":  # Deviation: CKE-07, Node
        credentials = "dXMlMjBlcjpwJUMzJUE0c3M="
    first = ["heard no credentials"]
    if stage.engine in ("deno", "bun"):  # Deviation: CKE-07, Deno and Bun
        first = []
    return [
        *OPENED,
        *first,
        f"heard credentials Basic {credentials}",
        "heard close",
    ]


@scenario("CKE-08")
async def a_challenge_without_credentials_fails(stage):
    """401 and 407 are refusals like any other when the URL has no credentials."""
    await play(
        stage,
        [
            [head("HTTP/1.1 401 Unauthorized", 'WWW-Authenticate: Digest realm="pyws"', "Content-Length: 0")],
            [head("HTTP/1.1 401 Unauthorized", "Content-Length: 0")],
            [head("HTTP/1.1 407 Proxy Authentication Required", "Content-Length: 0")],
        ],
    )
    return FAILED * 3


# Refusals


@scenario("RED-01", "HID-05")
async def a_redirect_is_not_followed(stage):
    """3xx fails like a refused connection, and the place it names is never asked for."""
    for status in ("301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent"):
        ws = stage.connect(head(f"HTTP/1.1 {status}", "Location: ?do=accept&do=close", "Content-Length: 0"))
        await stage.closed(ws)
        request = await stage.request(ws)
        stage.note("followed" if "?do=accept" in request[0] else "not followed")
    if stage.engine == "webkit":  # Deviation: RED-01, WebKit
        return [*OPENED, "followed"] * 5
    return [*FAILED, "not followed"] * 5


@scenario("RED-02", "HID-01")
async def any_status_but_101_fails(stage):
    """Whatever the server answers instead, even with all the headers of a success."""
    statuses = ("200 OK", "204 No Content", "304 Not Modified", "400 Bad", "404 Not Found", "426 Upgrade Required")
    cases = [[head(f"HTTP/1.1 {status}", *UPGRADE, "Content-Length: 0"), "fin"] for status in (*statuses, "500 Oops")]
    await play(stage, cases)
    return FAILED * 7


@scenario("RED-02")
async def a_refusal_is_not_waited_out(stage):
    """The head decides: a body that does not come is not waited for."""
    end = "hang"
    if stage.engine in ("firefox", "webkit"):  # Deviation: RED-02, Firefox and WebKit
        end = "fin"
    await play(
        stage,
        [
            [head("HTTP/1.1 404 Not Found"), end],
            [head("HTTP/1.1 404 Not Found", "Content-Length: 9"), end],
            [head("HTTP/1.1 404 Not Found", "Transfer-Encoding: chunked"), end],
        ],
    )
    return FAILED * 3


@scenario("HID-01", "HID-04", "HID-05", "ERR-12")
async def failures_look_alike(stage):
    """A name that does not resolve, TLS that fails, no HTTP at all: 1006, no reason, not clean."""
    (origin,) = await stage.ask("/address/hangup")
    for address in ("ws://nowhere.invalid", origin.replace("ws:", "wss:"), "ws://127.0.0.1:25"):
        await stage.closed(stage.connect(origin=address))
    return FAILED * 3


# Answers good and bad


@scenario("HSK-03", "HSK-04", "HSK-05")
async def an_answer_is_read_as_http_is(stage):
    """Names and tokens in any case, lists, space around values: all these open."""
    upgrade, connection, accept = UPGRADE
    await play(
        stage,
        [
            [head(SWITCHING, "Upgrade: WebSocket", connection, accept), "close"],
            [head(SWITCHING, "upgrade: WEBSOCKET", "connection: uPGRADE", "sec-websocket-accept: {accept}"), "close"],
            [head(SWITCHING, upgrade, "Connection: keep-alive, Upgrade", accept), "close"],
            [head(SWITCHING, upgrade, "Connection: keep-alive", "Connection: Upgrade", accept), "close"],
            [head(SWITCHING, upgrade, connection, r"Sec-WebSocket-Accept: \t {accept} \t"), "close"],
        ],
    )
    lists, spaces = OPENED * 2, OPENED
    if stage.engine == "node":  # Deviation: HSK-04, Node
        lists = FAILED * 2
    if stage.engine == "deno":  # Deviation: HSK-04, Deno
        lists = FAILED * 2
    if stage.engine == "node":  # Deviation: NEG-06, Node
        spaces = FAILED
    return [*OPENED * 2, *lists, *spaces]


@scenario("HSK-03", "HSK-04", "HSK-05")
async def an_answer_without_what_it_needs_fails(stage):
    """The three headers, each exactly once and right."""
    upgrade, connection, accept = UPGRADE
    await play(
        stage,
        [
            [head(SWITCHING, connection, accept), "close"],
            [head(SWITCHING, "Upgrade: websockets", connection, accept), "close"],
            [head(SWITCHING, "Upgrade: websocket, foo", connection, accept), "close"],
            [head(SWITCHING, upgrade, upgrade, connection, accept), "close"],
            [head(SWITCHING, upgrade, accept), "close"],
            [head(SWITCHING, upgrade, "Connection: keep-alive", accept), "close"],
            [head(SWITCHING, upgrade, connection), "close"],
            [head(SWITCHING, upgrade, connection, accept, accept), "close"],
            [head(SWITCHING, upgrade, connection, "Sec-WebSocket-Accept:"), "close"],
            [head(SWITCHING, upgrade, connection, "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "close"],
        ],
    )
    if stage.engine == "firefox":  # Deviation: HSK-03, Firefox
        return [*FAILED * 2, *OPENED * 2, *FAILED * 6]
    if stage.engine == "webkit":  # Deviation: HSK-05, WebKit
        return [*FAILED * 7, *OPENED, *FAILED * 2]
    if stage.engine == "deno":  # Deviation: HSK-05, Deno
        return [*FAILED * 3, *OPENED, *FAILED * 2, *OPENED * 4]
    if stage.engine == "bun":  # Deviation: HSK-03, Bun
        return [*FAILED * 3, *OPENED, *FAILED * 3, *OPENED, *FAILED * 2]
    return FAILED * 10


@scenario("HSK-06")
async def the_answer_is_http_1_1(stage):
    """Older versions of HTTP cannot upgrade."""
    await play(stage, [[head(f"HTTP/{version} 101 Old", *UPGRADE), "close"] for version in ("1.0", "0.9")])
    if stage.engine in ("chromium", "node"):  # Deviation: HSK-06, Chromium and Node
        return OPENED * 2
    if stage.engine in ("deno", "bun"):  # Deviation: HSK-06, Deno and Bun
        return [*OPENED, *FAILED]
    return FAILED * 2


@scenario("HSK-07")
async def interim_answers_are_skipped(stage):
    """100 and 103 may come before 101."""
    for interim in ("100 Continue", "103 Early Hints"):
        await play(stage, [[head(f"HTTP/1.1 {interim}"), *answer()]])
    if stage.engine == "chromium":  # Deviation: HSK-07, Chromium
        return FAILED * 2
    if stage.engine == "cpython":  # Deviation: HSK-07, CPython
        return FAILED * 2
    if stage.engine == "node":  # Deviation: HSK-07, Node
        return [*FAILED, *OPENED]
    return OPENED * 2


@scenario("HSK-08")
async def a_sloppy_head_is_understood(stage):
    """No reason phrase, bare LF, folded lines, a line without a colon."""
    upgrade, connection, accept = UPGRADE
    for verbs in (
        [head("HTTP/1.1 101", *UPGRADE), "close"],
        [head(SWITCHING, *UPGRADE, end=r"\n"), "close"],
        [head(SWITCHING, *UPGRADE, "X-Folded: one", " two"), "close"],
        [head(SWITCHING, *UPGRADE, "no colon here"), "close"],
    ):
        await play(stage, [verbs])
    if stage.engine == "cpython":  # Deviation: HSK-08, CPython
        return FAILED * 4
    if stage.engine == "node":  # Deviation: HSK-08, Node
        return [*OPENED, *FAILED * 3]
    if stage.engine in ("deno", "bun"):  # Deviation: HSK-08, Deno and Bun
        return [*OPENED * 2, *FAILED * 2]
    return OPENED * 4


@scenario("HSK-08")
async def a_suspicious_head_fails(stage):
    """NUL in a header, or space before a colon, is not HTTP."""
    await play(stage, [answer(r"X-Nul: a\x00b")])
    await play(stage, [answer("X-Space : a")])
    if stage.engine in ("chromium", "firefox", "webkit"):  # Deviation: HSK-08, every browser
        return [*FAILED, *OPENED]
    return FAILED * 2


@scenario("HSK-09")
async def headers_about_a_body_mean_nothing(stage):
    """101 has no body, whatever its headers say: what follows is frames."""
    cases = ("Content-Length: 5", "Transfer-Encoding: chunked", "Sec-WebSocket-Version: 8", "Server: any")
    await play(stage, [["hold", head(SWITCHING, *UPGRADE, line), "text m", "close", "release"] for line in cases])
    opened = ["open 1", "message 1 'm'", "close 3 clean 1005 ''"]
    if stage.engine == "bun":  # Deviation: HSK-09, Bun
        return [*opened * 2, *FAILED, *opened]
    return opened * 4


@scenario("HSK-10")
async def a_long_head_is_read_up_to_a_limit(stage):
    """100 KiB of headers are read, 300 KiB are refused."""
    await play(stage, [[f"padding 100 {size}", "accept", "close"] for size in (1010, 3030)])
    if stage.engine == "firefox":  # Deviation: HSK-10, Firefox
        return OPENED * 2
    if stage.engine in ("webkit", "node", "bun"):  # Deviation: HSK-10, WebKit, Node and Bun
        return FAILED * 2
    if stage.engine == "deno":  # Deviation: HSK-10, Deno
        return FAILED * 2
    return [*OPENED, *FAILED]


@scenario("HSK-10")
async def a_long_line_is_read(stage):
    """100 KiB in one header."""
    await play(stage, [["padding 1 102400", "accept", "close"]])
    if stage.engine == "cpython":  # Deviation: HSK-10, CPython
        return FAILED
    if stage.engine in ("webkit", "node", "bun"):  # Deviation: HSK-10, WebKit, Node and Bun
        return FAILED
    return OPENED


@scenario("HSK-11")
async def what_is_not_http_fails(stage):
    """Banners of other protocols, binary noise, an empty line, half a head."""
    cases = [
        [r"head SSH-2.0-OpenSSH_9.2\r\n", "fin"],
        ["raw 000012040000000000000300000064", "fin"],
        [r"head \r\n\r\n", "fin"],
        [r"head HTTP/1.1\r\n\r\n", "fin"],
        [r"head HTTP/1.1 abc Text\r\n\r\n", "fin"],
        [head(SWITCHING, *UPGRADE)[: -len(r"\r\n")], "fin"],
    ]
    if stage.engine in ("firefox", "webkit"):  # Deviation: HSK-11, Firefox and WebKit
        del cases[-1]
    await play(stage, cases)
    return FAILED * len(cases)


@scenario("HSK-09", "HSK-11")
async def an_answer_may_come_byte_by_byte(stage):
    """The head, one byte at a time, and frames right behind it."""
    ws = stage.connect("drip 0", "accept", "text slow", "close 1000")
    await stage.closed(ws)
    return ["open 1", "message 1 'slow'", "close 3 clean 1000 ''"]


# Subprotocols


@scenario("NEG-01", "NEG-03", "NEG-04", "NEG-05", "HID-01")
async def a_subprotocol_that_was_not_offered_fails(stage):
    """Another name, another case, two at once, none at all: only one of those asked for will do."""
    cases = [
        ["Sec-WebSocket-Protocol: c"],
        ["Sec-WebSocket-Protocol: A"],
        ["Sec-WebSocket-Protocol: a, b"],
        ["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"],
        ["Sec-WebSocket-Protocol:"],
    ]
    await play(stage, [answer(*lines) for lines in cases], protocols=["a", "b"])
    await play(stage, [answer("Sec-WebSocket-Protocol: a")])
    if stage.engine == "firefox":  # Deviation: NEG-01, Firefox
        return [*FAILED * 5, *OPENED]
    if stage.engine == "webkit":  # Deviation: NEG-04, WebKit
        return [*FAILED * 3, "open 1 protocol 'b'", OPENED[1], *FAILED * 2]
    if stage.engine == "deno":  # Deviation: NEG-04, Deno
        return [*FAILED * 3, "open 1 protocol 'a'", OPENED[1], *FAILED * 2]
    return FAILED * 6


@scenario("NEG-02")
async def a_subprotocol_that_was_asked_for_must_be_chosen(stage):
    """Subprotocols asked for, none in the answer: the connection fails."""
    await play(stage, [answer()], protocols=["a"])
    return FAILED


@scenario("NEG-06", "PRO-01", "PRO-02", "PRO-03")
async def the_protocol_is_what_the_server_wrote(stage):
    """Empty until `open` and without a choice; then the name, trimmed, and so it stays."""
    spaces = r" \t"
    if stage.engine == "node":  # Deviation: NEG-06, Node
        spaces = ""
    trimmed = rf"Sec-WebSocket-Protocol: \t B{spaces}"
    for protocols, lines in ((["B", "a"], [trimmed]), ("a", ["sec-websocket-protocol:a"])):
        ws = stage.connect(*answer(*lines), protocols=protocols)
        stage.note(f"before {show(ws.protocol)}")
        await stage.closed(ws)
        stage.note(f"after {show(ws.protocol)}")
    for verbs in (answer(), [head("HTTP/1.1 404 Not Found", "Sec-WebSocket-Protocol: a", "Content-Length: 0")]):
        ws = stage.connect(*verbs, journal=False)
        await stage.closed(ws)
        stage.note(f"none {show(ws.protocol)}")
    return [
        *["before ''", "open 1 protocol 'B'", "close 3 clean 1005 ''", "after 'B'"],
        *["before ''", "open 1 protocol 'a'", "close 3 clean 1005 ''", "after 'a'"],
        *["none ''", "none ''"],
    ]


# Extensions


@scenario("PMD-01")
async def compression_is_offered(stage):
    """Every connection offers permessage-deflate and leaves the size of its window to the server."""
    ws = stage.connect("accept", "close", journal=False)
    await stage.closed(ws)
    request = await stage.request(ws)
    stage.note(header(request, "Sec-WebSocket-Extensions"))
    if stage.engine == "firefox":  # Deviation: PMD-01, Firefox
        return [DEFLATE]
    if stage.engine == "deno":  # Deviation: PMD-01, Deno
        return [None]
    return [f"{DEFLATE}; client_max_window_bits"]


@scenario("EXT-01", "EXT-02", "EXT-03")
async def extensions_are_what_the_server_wrote(stage):
    """Empty before `open`, without one and after a failure; else the header's own text, trimmed, to the end."""
    for line in ("Server: any", rf"Sec-WebSocket-Extensions: \t {DEFLATE};server_no_context_takeover \t"):
        ws = stage.connect(*answer(line))
        stage.note(f"before {show(ws.extensions)}")
        await stage.closed(ws)
        stage.note(f"after {show(ws.extensions)}")
    ws = stage.connect(head("HTTP/1.1 404 No", f"Sec-WebSocket-Extensions: {DEFLATE}", "Content-Length: 0"))
    await stage.closed(ws)
    stage.note(f"failed {show(ws.extensions)}")
    written = f"{DEFLATE};server_no_context_takeover"
    if stage.engine == "firefox":  # Deviation: EXT-02, Firefox
        written = DEFLATE
    if stage.engine in ("webkit", "bun"):  # Deviation: EXT-02, WebKit and Bun
        written = f"{DEFLATE}; server_no_context_takeover"
    return [
        *["before ''", *OPENED, "after ''"],
        *["before ''", f"open 1 extensions '{written}'", "close 3 clean 1005 ''", f"after '{written}'"],
        *[*FAILED, "failed ''"],
    ]


@scenario("NEG-07", "NEG-09", "HID-01")
async def an_extension_that_was_not_offered_fails(stage):
    """Unknown names, alone or beside a known one, and known names in another case."""
    cases = ("foo", f"{DEFLATE}, foo", "x-webkit-deflate-frame", "Permessage-Deflate")
    await play(stage, [answer(f"Sec-WebSocket-Extensions: {value}") for value in cases])
    if stage.engine == "deno":  # Deviation: NEG-07, Deno
        return [row for value in cases for row in (f"open 1 extensions '{value}'", OPENED[1])]
    return FAILED * 4


@scenario("NEG-08")
async def an_empty_extensions_header_names_none(stage):
    """The header without a value."""
    await play(stage, [answer("Sec-WebSocket-Extensions:")])
    if stage.engine in ("chromium", "node", "bun"):  # Deviation: NEG-08, Chromium, Node and Bun
        return FAILED
    if stage.engine == "cpython":  # Deviation: NEG-08, CPython
        return FAILED
    return OPENED


@scenario("PMD-02")
async def compression_parameters_are_taken(stage):
    """Every parameter of RFC 7692 with each kind of value: compressed messages go both ways."""
    parameters = (
        "",
        "; server_no_context_takeover",
        "; client_no_context_takeover",
        "; server_max_window_bits=8",
        "; server_max_window_bits=15",
        '; server_max_window_bits="10"',
        "; client_max_window_bits=8",
        "; client_max_window_bits=9",
        "; client_max_window_bits=15",
        "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9",
    )
    if stage.engine == "firefox":  # Deviation: PMD-02, Firefox
        parameters = tuple([tail for tail in parameters if "client_max_window_bits=8" not in tail])
    if stage.engine == "node":  # Deviation: PMD-02, Node
        parameters = tuple([tail for tail in parameters if '"' not in tail])
    if stage.engine == "deno":  # Deviation: PMD-01, Deno
        parameters = ()
    text = "To be, or not to be. " * 60
    for tail in parameters:
        messages = ["deflated to be, to be", "deflated to be, to be"]
        extension = f"header Sec-WebSocket-Extensions: {DEFLATE}{tail}"
        ws = stage.connect(extension, "accept", *messages, "read 2", "close", journal=False)
        await stage.opened(ws)
        ws.send(text)
        ws.send(text)
        messages = await stage.messages(ws, 2)
        await stage.closed(ws)
        heard = await stage.heard(ws)
        whole = [row for row in heard if row == f"heard text {show(text)}"]
        stage.note(f"{tail}: received {messages}, sent {len(whole)}")
    return [f"{tail}: received ['to be, to be', 'to be, to be'], sent 2" for tail in parameters]


@scenario("PMD-03", "PMD-02")
async def wrong_compression_parameters_fail(stage):
    """Unknown, repeated, without the value they need, with one they must not have, or out of range."""
    parameters = (
        "; foo",
        "; server_no_context_takeover; server_no_context_takeover",
        "; server_max_window_bits=10; server_max_window_bits=10",
        "; server_no_context_takeover=1",
        "; client_no_context_takeover=1",
        "; server_max_window_bits",
        "; server_max_window_bits=7",
        "; server_max_window_bits=16",
        "; server_max_window_bits=0",
        "; server_max_window_bits=010",
        "; client_max_window_bits",
        "; client_max_window_bits=7",
        "; client_max_window_bits=16",
        f", {DEFLATE}",
    )
    await play(stage, [answer(f"Sec-WebSocket-Extensions: {DEFLATE}{tail}") for tail in parameters])
    await play(stage, [answer(*[f"Sec-WebSocket-Extensions: {DEFLATE}"] * 2)])
    if stage.engine == "firefox":  # Deviation: PMD-03, Firefox
        return [*FAILED * 9, f"open 1 extensions '{DEFLATE}'", OPENED[1], *FAILED * 5]
    if stage.engine == "webkit":  # Deviation: PMD-03, WebKit
        opened = ["server_max_window_bits=10", "client_max_window_bits=15"]
        taken = [row for text in opened for row in (f"open 1 extensions '{DEFLATE}; {text}'", OPENED[1])]
        return [*FAILED * 9, *taken, *FAILED * 2, *[f"open 1 extensions '{DEFLATE}, {DEFLATE}'", OPENED[1]] * 2]
    if stage.engine == "node":  # Deviation: PMD-03, Node
        taken = [(f"open 1 extensions '{DEFLATE}{tail}'", OPENED[1]) for tail in parameters[:-1]]
        return [*[row for rows in taken for row in rows], *FAILED * 2]
    if stage.engine == "deno":  # Deviation: NEG-07, Deno
        taken = [f"{DEFLATE}{tail}" for tail in parameters] + [DEFLATE * 2]
        return [row for value in taken for row in (f"open 1 extensions '{value}'", OPENED[1])]
    return FAILED * (len(parameters) + 1)


# Compressed messages


@scenario("PMD-04", "PMD-06", "PMD-07", "FRM-14")
async def compressed_messages_are_inflated(stage):
    """With and without compression, whole and in pieces with Pings between, empty: each is delivered once, in order."""
    if stage.engine == "deno":  # Deviation: PMD-01, Deno
        return []
    ws = stage.connect(
        COMPRESSED,
        "accept",
        "deflated same same same",
        "text plain",
        "deflated same same same",
        "deflated_fragment 3 in pieces, €\U0001d11e",
        "deflated ",
        "fragment 2 plain pieces",
        "deflated same same same",
        "close",
        journal=False,
    )
    messages = await stage.messages(ws, 7)
    await stage.closed(ws)
    stage.journal += [show(message) for message in messages]
    return [
        "'same same same'",
        "'plain'",
        "'same same same'",
        r"'in pieces, \u20ac\U0001d11e'",
        "''",
        "'plain pieces'",
        "'same same same'",
    ]


@scenario("PMD-06")
async def the_context_is_kept_between_messages(stage):
    """A message may refer to the one before: RFC 7692, 7.2.3.2."""
    if stage.engine == "deno":  # Deviation: PMD-01, Deno
        return []
    hello = "c107f248cdc9c90700"
    again = "c105f200110000"
    ws = stage.connect(COMPRESSED, "accept", "raw " + hello, "raw " + again, "close", journal=False)
    stage.journal += await stage.messages(ws, 2)
    await stage.closed(ws)
    return ["Hello"] * 2


@scenario("PMD-06")
async def a_final_block_ends_a_message_only(stage):
    """A block with BFINAL, RFC 7692, 7.2.3.4; the messages after it are whole."""
    if stage.engine == "deno":  # Deviation: PMD-01, Deno
        return []
    hello = "c108f348cdc9c9070000"
    ws = stage.connect(COMPRESSED, "accept", *["raw " + hello] * 2, "deflated and more", "close", journal=False)
    stage.journal += await stage.messages(ws, 3)
    await stage.closed(ws)
    if stage.engine == "node":  # Deviation: PMD-06, Node
        return ["Hello", "", ""]
    return ["Hello", "Hello", "and more"]


@scenario("PMD-04")
async def a_compressed_bit_out_of_place_fails(stage):
    """RSV1 belongs on the first frame of a message, of data: not on a continuation, a Ping or a Close."""
    frames = ["010161c00162", "c900", "c800", "a10161"]
    if stage.engine == "webkit":  # Deviation: PMD-04, WebKit
        del frames[0]
    if stage.engine == "node":  # Deviation: PMD-04, Node
        del frames[:3]
    await play(stage, [[COMPRESSED, "accept", "ready", "raw " + digits] for digits in frames])
    return ["open 1 extensions 'permessage-deflate'", *FAILED] * len(frames)


@scenario("PMD-05")
async def broken_compressed_data_fails(stage):
    """What cannot be inflated; what is not UTF-8 when inflated."""
    await play(
        stage, [[COMPRESSED, "accept", "ready", "raw " + digits] for digits in ("c102ffff", "c107000100feffff00")]
    )
    return ["open 1 extensions 'permessage-deflate'", *FAILED] * 2


@scenario("SRV-02")
async def the_end_does_not_overtake_a_compressed_message(stage):
    """The message, the Close frame and the end of TCP come at once: to inflate the message takes time."""
    if stage.engine == "deno":  # Deviation: PMD-01, Deno
        return []
    verbs = ["accept", "ready", "hold", "deflated last words", "close 1000", "release", "half"]
    ws = stage.connect(COMPRESSED, *verbs, journal=False)
    ws.onmessage = lambda event: stage.note(event.data)
    ws.onclose = lambda event: stage.note(event.code)
    await stage.closed(ws)
    if stage.engine == "node" and 1006 in stage.journal:  # Deviation: SRV-02, Node
        return [1006]
    return ["last words", 1000]


@scenario("PMD-06", "PMD-07", "PMD-08", "BUF-04", "SND-16")
async def compressed_messages_are_sent(stage):
    """What is sent arrives deflated, empty or not, with the context kept; the buffer counts it as it was given."""
    ws = stage.connect(COMPRESSED, "accept", "read 4", "close", journal=False)
    await stage.opened(ws)
    ws.send("€" * 1000)
    ws.send(b"\x00" * 1000)
    stage.note(f"buffered {ws.bufferedAmount}")
    ws.send("")
    ws.send("€" * 1000)
    await stage.closed(ws)
    stage.note(f"buffered {ws.bufferedAmount}")
    stage.journal += await stage.heard(ws)
    deflated, empty, close = ["heard deflated"], ["heard deflated", "heard text ''"], "heard close"
    if stage.engine in ("firefox", "webkit"):  # Deviation: PMD-07, Firefox and WebKit
        empty = empty[1:]
    if stage.engine == "bun":  # Deviation: PMD-07, Bun
        deflated, empty = [], empty[1:]
    if stage.engine == "webkit":  # Deviation: SRV-01, WebKit
        close = "heard close 1000 ''"
    expected = [
        "buffered 4000",
        "buffered 0",
        "heard deflated",
        "heard text " + show("€" * 1000),
        *deflated,
        "heard binary " + show(b"\x00" * 1000),
        *empty,
        "heard deflated",
        "heard text " + show("€" * 1000),
        close,
    ]
    if stage.engine == "node":  # Deviation: PMD-07, Node
        return [row for row in expected if row != "heard deflated"]
    if stage.engine == "deno":  # Deviation: PMD-01, Deno
        return [row for row in expected if row != "heard deflated"]
    return expected


@scenario("PMD-09")
async def a_bomb_is_only_a_large_message(stage):
    """There is no limit by default: a few KiB that inflate to 4 MiB are a message of 4 MiB."""
    if stage.engine == "deno":  # Deviation: PMD-01, Deno
        return []
    ws = stage.connect(COMPRESSED, "accept", "deflated_zeros 4194304", "close", journal=False)
    messages = await stage.messages(ws, 1)
    stage.note([len(message) for message in messages])
    await stage.closed(ws)
    return [[4194304]]
