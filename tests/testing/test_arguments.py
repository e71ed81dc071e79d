"""What a server of `pyws.testing` cannot do is an exception at the call, not a step that fails or is passed by."""

import math

import pytest
from pyws.testing import Journal

pytestmark = pytest.mark.once


async def answer(value):
    return False


class Answer:
    def __call__(self, value):
        return answer(value)


CALLS = {
    "ping(5)": (lambda server: server.ping(5), TypeError, "ping takes bytes, not int"),
    "ping('x')": (lambda server: server.ping("x"), TypeError, "ping takes bytes, not str"),
    "write(5)": (lambda server: server.write(5), TypeError, "write takes bytes, not int"),
    "a code that is a text": (lambda server: server.expect_close("1000"), TypeError, "code must be int"),
    "a code that no frame has": (lambda server: server.expect_close(99999), ValueError, "code must be from 0"),
    "a reason that is bytes": (lambda server: server.expect_close(1000, b""), TypeError, "reason must be str"),
    "a subprotocol": (lambda server: server.accept(subprotocol=5), TypeError, "subprotocol must be str"),
    "two lines": (lambda server: server.accept(subprotocol="a\r\nb: c"), ValueError, "cannot be sent there"),
    "headers": (lambda server: server.accept(headers=5), TypeError, "headers are a mapping"),
    "a header that is a number": (lambda server: server.accept(headers={"X": 5}), TypeError, "'X' and a int"),
    "the name of a header": (lambda server: server.refuse(headers={"X Y": ""}), ValueError, "not the name of a header"),
    "a header with a line": (lambda server: server.refuse(headers={"X": "a\r\nb"}), ValueError, "no header can have"),
    "a body": (lambda server: server.refuse(body=5), TypeError, "not int"),
    "no delay": (lambda server: server.delay(None), TypeError, "must be a number of seconds"),
    "half a character": (lambda server: server.send("\ud800"), ValueError, "surrogate"),
    "half a character in a reason": (lambda server: server.close(1000, "\ud800"), ValueError, "surrogate"),
    "JSON that is none": (lambda server: server.send_json(math.nan), ValueError, "JSON"),
    "a set in JSON": (lambda server: server.expect_json([{1, 2}]), TypeError, "JSON has no set"),
    "a key of JSON": (lambda server: server.expect_json({1: 2}), TypeError, "a key of JSON is str"),
    "expect(async)": (lambda server: server.expect(answer), TypeError, "an async one is not awaited"),
    "expect_json(async)": (lambda server: server.expect_json(answer), TypeError, "an async one is not awaited"),
    "wait_for(async)": (lambda server: server.wait_for(answer), TypeError, "an async one is not awaited"),
    "a time": (lambda server: server.wait_for("x", timeout="1"), TypeError, "must be a number of seconds"),
    "a time before": (lambda server: server.wait_for_connection(timeout=-1), ValueError, "not negative"),
    "journal(async)": (lambda server: Journal().wait_for(answer), TypeError, "an async one is not awaited"),
    "a time of the journal": (lambda server: Journal().wait_for("x", timeout=math.nan), ValueError, "not nan"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument(name, server):
    call, error, words = CALLS[name]
    with pytest.raises(error, match=words):
        call(server)
    assert server.empty
