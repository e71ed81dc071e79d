"""The JavaScript of the package alone, under Node: a fake of Python's side calls it."""

import json
import subprocess
from pathlib import Path

import pytest
import pyws

from runtimes import Node, required

pytestmark = pytest.mark.once

FOLDER = Path(pyws.__file__).parent / "browser"
PATIENCE = 60  # seconds

# `source` is the text of the file; `note` writes a line.
PRELUDE = """
const source = require("node:fs").readFileSync(process.argv[1], "utf-8");
const note = (...values) => console.log(JSON.stringify(values));
class Socket {
  readyState = 0;
  sent = [];
  send(data) { this.sent.push(data); }
}
const proxyOf = (memory) => ({
  memory,
  released: 0,
  getBuffer() { return { data: this.memory, release: () => { this.released += 1; } }; },
});
const text = (bytes) => new TextDecoder().decode(bytes);
"""


@pytest.fixture(scope="module")
def run():
    """Run a script after PRELUDE, with the name of a file of the package; the values that it notes."""
    with required():
        node = Node.program()

    def run(file, script):
        command = [node, "-e", PRELUDE + script, FOLDER / file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.stderr == ""
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


FILES = sorted(path.name for path in FOLDER.glob("*.js"))


@pytest.mark.parametrize("file", FILES)
def test_it_is_a_script(file):
    """Node can parse it as it is."""
    with required():
        node = Node.program()
    done = subprocess.run([node, "--check", FOLDER / file], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stderr == ""


LINK = """
const received = proxyOf(new Uint8Array(12)), sent = proxyOf(new Uint8Array(12));
const { link } = new Function(`${source}\\nreturn createLink;`)()(received, sent);
const socket = new Socket();
const unpacked = [];
const unpack = (packed, time) => {
  if (typeof packed === "number") {
    const { memory } = received;
    unpacked.push(packed < 0 ? ["bytes", ...memory.slice(0, ~packed)] : text(memory.slice(0, packed)));
  } else {
    unpacked.push(packed instanceof Array ? ["array", text(packed[0])] : ["array", packed.length]);
  }
  unpacked.push(time);
};
const send = link(socket, unpack);
const receive = (data, timeStamp) => socket.onmessage({ data, timeStamp });
"""


def test_messages_are_received_in_memory(run):
    """Text as its size in UTF-8, bytes as the complement of their size; what may be too large crosses as an array."""
    script = """
    receive("ab€", 1);
    receive(new Uint8Array([1, 2, 3]).buffer, 2);
    receive("", 3);
    receive(new ArrayBuffer(0), 4);
    receive("12345", 5);
    receive(new ArrayBuffer(12), 6);
    receive(new ArrayBuffer(13), 7);
    note(...unpacked);
    """
    zeros = ["bytes", *[0] * 12]
    assert run("codec.js", LINK + script) == [
        ["ab€", 1, ["bytes", 1, 2, 3], 2, "", 3, ["bytes"], 4, ["array", "12345"], 5, zeros, 6, ["array", 13], 7]
    ]


def test_a_message_inside_a_message_has_an_array_of_its_own(run):
    """The memory belongs to the outer one, until `unpack` has returned or thrown."""
    script = """
    const outer = new Socket();
    link(outer, (packed, time) => {
      receive("in", 2);
      unpack(packed, time);
      throw new Error("of a listener");
    });
    try {
      outer.onmessage({ data: "out", timeStamp: 1 });
    } catch (error) {
      note(error.message);
    }
    receive("next", 3);
    note(...unpacked);
    """
    assert run("codec.js", LINK + script) == [["of a listener"], [["array", "in"], 2, "out", 1, "next", 3]]


def test_memory_that_has_grown_is_asked_for_again(run):
    """WebAssembly gives up its old buffer: that is released, once."""
    script = """
    receive("a", 1);
    structuredClone(received.memory.buffer, { transfer: [received.memory.buffer] });
    received.memory = new Uint8Array(12);
    receive("b", 2);
    receive("c", 3);
    note(received.released, ...unpacked);
    """
    assert run("codec.js", LINK + script) == [[1, "a", 1, "b", 2, "c", 3]]


def test_messages_are_sent_while_the_socket_is_open(run):
    """A number is the size of a message in memory: anybody's own `send` gets a copy of it, and may keep that."""
    script = """
    sent.memory.set([7, 8, 9]);
    note(send("early"), socket.sent.length);
    socket.readyState = 1;
    note(send("text"), send(2));
    sent.memory.fill(0);
    note(...socket.sent.map((data) => typeof data === "string" ? data : [...data]));
    socket.readyState = 2;
    note(send("late"), send(2), socket.sent.length);
    """
    assert run("codec.js", LINK + script) == [[0, 0], [1, 1], ["text", [7, 8]], [2, 2, 2]]


def test_utf_8_is_sent_as_text(run):
    """In memory its size is a complement; what is too large is an Array of one array. A byte order mark stays."""
    script = """
    sent.memory.set(new TextEncoder().encode("\\ufeffa€"));
    note(send(~7), send([new Uint8Array([0xc3, 0xa9])]), socket.sent.length);
    socket.readyState = 1;
    note(send(~7), send([new Uint8Array([0xc3, 0xa9])]), send(~0));
    note(...socket.sent);
    """
    assert run("codec.js", LINK + script) == [[0, 0, 0], [1, 1, 1], ["\ufeffa€", "é", ""]]


BRYTHON = 'const functions = new Function(source + "return functions")();\n'


def test_brython_links_a_socket(run):
    """Text and bytes come up as Brython's own objects; its bytes have a list of numbers as `source`."""
    script = """
    const PYOBJ = Symbol();
    globalThis.__BRYTHON__ = { PYOBJ };
    const received = (data, time) => note(typeof data === "string" ? data : data[PYOBJ] ?? data, time);
    const socket = new Socket();
    const send = functions.link(socket, received, { ob_type: "bytes", source: [] });
    socket.onmessage({ data: "text", timeStamp: 1 });
    socket.onmessage({ data: new Uint8Array([1, 255]).buffer, timeStamp: 2 });
    note(send("early"));
    socket.readyState = 1;
    note(send("text"), send({ source: [3, 4] }), send({ source: [] }), send(new Uint8Array([5])));
    note(...socket.sent.map((data) => typeof data === "string" ? data : [...data]));
    """
    assert run("brython.js", BRYTHON + script) == [
        ["text", 1],
        [{"ob_type": "bytes", "source": [1, 255]}, 2],
        [0],
        [1, 1, 1, 1],
        ["text", [3, 4], [], [5]],
    ]


def test_brython_links_a_socket_without_knowing_bytes(run):
    """What is not text comes up, and is sent, as a typed array."""
    script = """
    const socket = new Socket();
    const send = functions.link(socket, (data, time) => note(typeof data === "string" ? data : [...data], time), null);
    socket.onmessage({ data: "text", timeStamp: 1 });
    socket.onmessage({ data: new Uint8Array([1, 2]).buffer, timeStamp: 2 });
    socket.readyState = 1;
    note(send("text"), send(new Uint8Array([3, 4])));
    note(...socket.sent.map((data) => typeof data === "string" ? data : [...data]));
    """
    assert run("brython.js", BRYTHON + script) == [["text", 1], [[1, 2], 2], [1, 1], ["text", [3, 4]]]


def test_brython_gets_text_and_bytes_of_its_own(run):
    """Text with surrogates is left to Brython, which counts them; bytes are joined to other bytes."""
    script = """
    globalThis.__BRYTHON__ = { PYOBJ: "held" };
    note(...["", "text", "\\ud7ff\\ue000", "\\ud83d\\ude00", "a\\udc00"].map(functions.hold));
    const bytes = { ob_type: "bytes", source: [] }, part = functions.toBytes(bytes, new Uint8Array([0, 128, 255]));
    const joined = functions.join(bytes, [part, part, bytes]);
    part.source[0] = 7;
    note(bytes.source, joined, functions.join(bytes, []).source, [...functions.toArray(part)]);
    """
    assert run("brython.js", BRYTHON + script) == [
        [{"held": ""}, {"held": "text"}, {"held": "\ud7ff\ue000"}, "\U0001f600", "a\udc00"],
        [[], {"ob_type": "bytes", "source": [0, 128, 255, 0, 128, 255]}, [], [7, 128, 255]],
    ]


def test_brython_learns_how_a_socket_fails(run):
    """The name and the message of the exception, of which Brython itself would lose the name."""
    script = """
    globalThis.WebSocket = Socket;
    note(functions.newSocket("ws://x/", []).socket instanceof Socket);
    globalThis.WebSocket = class { constructor(...details) { throw new RangeError(details.join()); } };
    note(functions.newSocket("ws://x/", ["a", "b"]));
    """
    assert run("brython.js", BRYTHON + script) == [[True], [{"failure": "RangeError", "message": "ws://x/,a,b"}]]


def test_brython_names_and_copies_what_is_of_javascript(run):
    """A copy is the part that a view shows; a transferred buffer has no bytes."""
    script = """
    const { buffer } = new Uint8Array([1, 2, 3, 4]);
    note(...[buffer, new DataView(buffer), {}, [], null].map((value) => functions.className(value)));
    const copy = functions.copy(buffer);
    copy[0] = 9;
    note([...functions.copy(new Uint16Array(buffer, 2))], [...functions.copy(buffer)]);
    structuredClone(buffer, { transfer: [buffer] });
    note([...functions.copy(buffer)], [...copy]);
    note(functions.decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xff])));
    """
    assert run("brython.js", BRYTHON + script) == [
        ["ArrayBuffer", "DataView", "Object", "Array", "Null"],
        [[3, 4], [1, 2, 3, 4]],
        [[], [9, 2, 3, 4]],
        ["\ufeffa\ufffd"],
    ]
