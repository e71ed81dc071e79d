"""Masks: what looks like a secret does not reach a recording, and what does not is left as it is."""

import json
import re

import pytest
from pyws.testing.comparing import same_message
from pyws.testing.masks import MASK, Masks

pytestmark = pytest.mark.once

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"

URLS = {
    "wss://bob:hunter2@example.org/chat?room=1": "wss://~masked~@example.org/chat?room=1",
    "wss://bob@example.org/": "wss://~masked~@example.org/",
    "wss://h/?token=a&x=1": "wss://h/?token=~masked~&x=1",
    "wss://h/?access_token=a": "wss://h/?access_token=~masked~",
    "wss://h/?api_key=a&apiKey=b&X-Api-Key=c": "wss://h/?api_key=~masked~&apiKey=~masked~&X-Api-Key=~masked~",
    "wss://h/?sig=a&signature=b&session=c&auth=d&password=e&secret=f&key=g": "wss://h/?"
    + "&".join(f"{name}=~masked~" for name in ("sig", "signature", "session", "auth", "password", "secret", "key")),
    "wss://h/?%74oken=a": "wss://h/?%74oken=~masked~",
    "wss://h/?next=https%3A%2F%2Fu%3Ap%40h%2F": "wss://h/?next=~masked~",
    f"wss://h/?x={JWT}": "wss://h/?x=~masked~",
    f"wss://h/ws/{JWT}/1": "wss://h/ws/~masked~/1",
    f"wss://h/?{JWT}": "wss://h/?~masked~",
    "wss://h/?v=aBcDeFgHiJkLmNoPqRsTuVwX&w=averylongwordwithoutanything": (
        "wss://h/?v=~masked~&w=averylongwordwithoutanything"
    ),
    "wss://h/token/hunter2/x": "wss://h/token/~masked~/x",
    "wss://h/?id=0123456789abcdef0123": "wss://h/?id=~masked~",
    "wss://h/?token=": "wss://h/?token=",
}
HEADERS = {
    ("Authorization", "Bearer a"): "Bearer ~masked~",
    ("authorization", "a"): "~masked~",
    ("Proxy-Authorization", "Basic Ym9iOmh1bnRlcjI="): "Basic ~masked~",
    ("Authorization", "Basic bm9jb2xvbg=="): "Basic ~masked~",
    ("Authorization", 'Digest username="bob", response="6629", opaque="a"'): "Digest ~masked~",
    ("Authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c"): "AWS4-HMAC-SHA256 ~masked~",
    ("Authorization", "Bearer a, Bearer b"): "Bearer ~masked~",
    ("Cookie", "a=b; sid=1"): "~masked~",
    ("Set-Cookie", "a=b; Path=/"): "~masked~",
    ("X-Api-Key", "a"): "~masked~",
    ("X-Auth-Token", "a"): "~masked~",
    ("X-Client", "5f4dcc3b5aa765d61d8327deb882cf99"): "~masked~",
    ("Referer", "https://h/?token=a"): "https://h/?token=~masked~",
    ("Sec-WebSocket-Protocol", "chat, bearer.a"): "chat, bearer.~masked~",
    ("Sec-WebSocket-Protocol", "access_token, a, chat"): "access_token, ~masked~, chat",
}
SUBPROTOCOLS = {
    "bearer.abc": "bearer.~masked~",
    "access_token.abc": "access_token.~masked~",
    "openai-insecure-api-key.sk-abc": "openai-insecure-api-key.~masked~",
    "base64url.bearer.authorization.k8s.io.YWJj": "base64url.bearer.~masked~",
    JWT: "~masked~",
    "6f1c0ad2-5a19-4ac5-bb05-d4ea37ba6a6c": "~masked~",
    "dGhpcyBpcyBhIHNlY3JldCB0b2tlbiE": "~masked~",
}
TEXTS = {
    '{"token":"a"}': '{"token":"~masked~"}',
    '{"a": {"b": [{"accessToken": "x"}]}, "n": 1}': '{"a": {"b": [{"accessToken": "~masked~"}]}, "n": 1}',
    '{"PASSWORD":"a","api-key":"b","client_secret":"c","refreshToken":"d"}': (
        '{"PASSWORD":"~masked~","api-key":"~masked~","client_secret":"~masked~","refreshToken":"~masked~"}'
    ),
    '{"password":12345,"max_tokens":100}': '{"password":"~masked~","max_tokens":100}',
    '{"tokens":["a","b"]}': '{"tokens":["~masked~","~masked~"]}',
    '{"auth":{"user":"u","n":1,"ok":true}}': '{"auth":{"user":"~masked~","n":1,"ok":true}}',
    '{"token":"a","token":""}': '{"token":"~masked~","token":""}',
    '{"payload":"{\\"password\\":\\"p\\"}"}': '{"payload":"{\\"password\\":\\"~masked~\\"}"}',
    '{"headers":[{"name":"Authorization","value":"Basic YTpi"}]}': (
        '{"headers":[{"name":"Authorization","value":"~masked~"}]}'
    ),
    '[["X-Api-Key","x"],["Accept","y"]]': '[["X-Api-Key","~masked~"],["Accept","y"]]',
    '{"url":"wss://u:p@h/?token=x"}': '{"url":"wss://~masked~@h/?token=~masked~"}',
    '42["auth",{"token":"x"}]': '42["auth",{"token":"~masked~"}]',
    '{"a":1}\n{"token":"x"}': '{"a":1}\n{"token":"~masked~"}',
    '{"token":"cut o': '{"token":"~masked~',
    "{'token': 'x'}": "{'token': '~masked~'}",
    "CONNECT\nlogin:bob\npasscode:a b\n\n\0": "CONNECT\nlogin:bob\npasscode:~masked~\n\n\0",
    "PASS oauth:abc": "PASS ~masked~",
    "user=bob&pass%77ord=x&user%5Btoken%5D=y": "user=bob&pass%77ord=~masked~&user%5Btoken%5D=~masked~",
    "password = x": "password = ~masked~",
    "bob, password: x, or api-key: y": "bob, password: ~masked~, or api-key: ~masked~",
    "login:\n  password: a b\n- secret: c\n": "login:\n  password: ~masked~\n- secret: ~masked~\n",
    "password: x token=y": "password: ~masked~",
    "{password: 'x', \"n\": 1}": "{password: '~masked~', \"n\": 1}",
    "<a><password>x y</password><b>c</b></a>": "<a><password>~masked~</password><b>c</b></a>",
    "<auth mechanism='PLAIN'>AGE=</auth>": "<auth mechanism='PLAIN'>~masked~</auth>",
    "authorization: bearer abcdefgh": "authorization: bearer ~masked~",
    "it is bearer abcdefgh": "it is bearer ~masked~",
    '{"op":"login","args":[{"sign":"b"}]}': '{"op":"login","args":[{"sign":"~masked~"}]}',
    '[{"field":"password","val":"x"},{"type":"password","value":"y"}]': (
        '[{"field":"password","val":"~masked~"},{"type":"password","value":"~masked~"}]'
    ),
    'a token=x key="y z" n=1': 'a token=~masked~ key="~masked~" n=1',
    "Authorization: Bearer abcdefgh": "Authorization: Bearer ~masked~",
    f"it is {JWT}.": "it is ~masked~",
    "it is sk-abcdefghijklmnop": "it is ~masked~",
    "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----": "~masked~",
}
HARMLESS = [
    "",
    "hello",
    "the key: be kind",
    "at 12:30, see https://h/a:b",
    '{"type":"token","value":"Hello"}',
    "<p>hello</p>",
    "Session started",
    '{"author":"bob","monkey":1,"keyboard":"x","total_tokens":7,"token":null,"auth":true}',
    '{ "a" : [1,2.50] }',
    "[[[[",
    '"' * 9,
    "😀 {x}",
]


@pytest.mark.parametrize(("url", "masked"), URLS.items())
def test_a_url(url, masked):
    """User, password, and what looks like a secret in path and query."""
    assert Masks().url(url) == masked


@pytest.mark.parametrize(("header", "masked"), HEADERS.items(), ids=str)
def test_a_header(header, masked):
    """Credentials, cookies, names and values that look like secrets."""
    assert Masks().header(*header) == masked


@pytest.mark.parametrize(("name", "masked"), SUBPROTOCOLS.items())
def test_a_subprotocol(name, masked):
    """A token that has no other way to travel."""
    assert Masks().subprotocol(name) == masked


@pytest.mark.parametrize(("text", "masked"), TEXTS.items())
def test_a_message(text, masked):
    """At any depth of JSON, and in texts that are not JSON; also as a binary message. The recorded one matches."""
    assert Masks().text(text) == masked
    assert Masks().binary(text.encode()) == masked.encode()
    assert same_message(masked, text) and same_message(masked.encode(), text.encode())


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_not_secret_is_shown(text):
    """To the last character."""
    assert Masks().text(text) == text
    assert Masks().binary(text.encode()) == text.encode()


@pytest.mark.parametrize(
    "name",
    ["chat", "graphql-transport-ws", "actioncable-v1-unsupported", "v12.stomp", "wamp.2.json", "ocpp1.6", "realtime"],
)
def test_the_name_of_a_subprotocol_is_shown(name):
    """Those that are registered, and those that are used most."""
    assert Masks().subprotocol(name) == name


def test_a_harmless_header_is_shown():
    """Also one with letters and digits."""
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/150.0.0.0"
    for name, value in (("User-Agent", agent), ("Origin", "https://example.org"), ("X-Version", "2")):
        assert Masks().header(name, value) == value


def test_a_secret_is_masked_wherever_it_appears():
    """Once it was seen under its name: in a URL, a header, a message; in text, and in binary that is not UTF-8."""
    masks = Masks()
    masks.url("wss://bob:hunter22@h/?token=abc%2Fdef")
    masks.header("Authorization", "Basic Ym9iOnRvcHNlY3JldA==")
    masks.header("Cookie", "sid=cookie99; x=1")
    masks.subprotocol("bearer.protocol7")
    masks.text('{"password":"message8"}')
    for secret in ("hunter22", "abc/def", "topsecret", "cookie99", "protocol7", "message8"):
        assert masks.text(f"it is <{secret}>") == f"it is <{MASK}>"
        assert masks.binary(b"\xff" + secret.encode()) == b"\xff" + MASK.encode()


def test_a_format_of_its_own_in_binary():
    """JSON in it is found; other binary data is not touched."""
    assert Masks().binary(b'\x00\xff{"token":"abc"}') == b'\x00\xff{"token":"~masked~"}'
    data = bytes(range(256)) * 9
    assert Masks().binary(data) == data


def test_what_is_secret_for_the_user():
    """More names, patterns (all that matches, or the groups), fewer names, and a function."""
    masks = Masks(
        names=["email"],
        patterns=[r"\d{3}-\d{4}", re.compile(r"card (\d+)|cash(\d+)")],
        show=["session", "Key"],
        function=lambda text: text.replace("Bob", "X"),
    )
    message = {"E-Mail": "a@b", "session": {"id": "x", "token": "y"}, "key": "Enter", "t": "555-1234, Bob, card 12"}
    assert json.loads(masks.text(json.dumps(message))) == {
        "E-Mail": MASK,
        "session": {"id": "x", "token": MASK},
        "key": "Enter",
        "t": f"{MASK}, X, card {MASK}",
    }
    assert masks.url("wss://h/?session=1&email=2") == "wss://h/?session=1&email=~masked~"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"patterns": ["("]}, ValueError, "not a regular expression"),
        ({"patterns": "abc"}, TypeError, "lists"),
        ({"names": "email"}, TypeError, "lists"),
        ({"patterns": [7]}, TypeError, "regular expression"),
        ({"patterns": [re.compile(b"x")]}, TypeError, "for text"),
        ({"function": 7}, TypeError, "function"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_refused(options, error, words):
    """At the call."""
    with pytest.raises(error, match=words):
        Masks(**options)
    with pytest.raises(TypeError, match="must return str"):
        Masks(function=lambda text: None).text("x")


@pytest.mark.parametrize(
    ("recorded", "said", "same"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a", b"a", False),
        (b"a", b"a", True),
        ("a ~masked~ b", "a x y b", True),
        ("a ~masked~ b", "a b", False),
        ("~masked~a~masked~a", "xaa", True),
        ("~masked~aa", "a", False),
        ("a~masked~b~masked~c", "axbyc", True),
        ("a~masked~b~masked~c", "axyc", False),
        *[("[" * depth + "1" + "]" * depth, "[" * depth + "2" + "]" * depth, False) for depth in range(300, 1000, 100)],
        ("~masked~", "", True),
        (b"\xff~masked~\x00", b"\xffabc\x00", True),
        (b"\xff~masked~\x00", b"\xffabc", False),
        ('{"a":1,"b":[true]}', '{ "b": [true], "a": 1 }', True),
        ('{"a":1}', '{"a":true}', False),
        ('{"a":1}', '{"a":1.0}', True),
        ('{"a":1}', '{"a":1,"b":2}', False),
        ('{"a":["~masked~"]}', '{"a":[7]}', True),
        ('{"a":["~masked~"]}', '{"a":[7,8]}', False),
        ('{"a":"x~masked~"}', '{"a":"y"}', False),
        ('{"a":1}', "x", False),
        ("[" * 5000 + "1" + "]" * 5000, "[" * 5000 + "2" + "]" * 5000, False),
    ],
    ids=lambda value: str(value)[:30],
)
def test_how_messages_are_compared(recorded, said, same):
    """JSON by its value; a masked part matches anything."""
    assert same_message(recorded, said) is same


def test_a_secret_that_is_a_part_of_another():
    """The longer one is masked as a whole, whichever was seen first."""
    masks = Masks()
    masks.text('{"token":"hunter"}')
    masks.text('{"password":"hunter2-and-more"}')
    assert masks.text("hunter2-and-more, hunter") == "~masked~, ~masked~"


def test_a_secret_that_is_a_part_of_the_mask():
    masks = Masks()
    masks.text('{"password":"masked"}')
    assert masks.text('{"password":"hunter2"}') == '{"password":"~masked~"}'


def test_a_parameter_in_a_binary_format():
    assert Masks().binary(b"\xff\x00password=hunter2\x00\xfe") == b"\xff\x00password=~masked~\x00\xfe"
