"""A recording made in a browser: Chromium's developer tools write the archive, and it is replayed."""

import asyncio
import json
import urllib.request

import pytest
from pyws.testing import Recording, replay
from pyws.testing.recorded import Lost, Message, Request, Response
from websockets.asyncio.client import connect

from runtimes import CHROMIUM_FLAGS, driving, find

pytestmark = pytest.mark.once

# The page: it opens one WebSocket after the other.
TALK = """
const [urls, done] = arguments;
(async () => {
  for (const url of urls) {
    const ws = new WebSocket(url, ["chat", "v2"]);
    ws.onopen = () => { ws.send("Hello 🌍"); ws.send(new Uint8Array([0, 255])); };
    await new Promise((resolve) => { ws.onclose = resolve; });
  }
  done();
})();
"""

# The developer tools, on another page: their own code makes the archive of all that they have seen. At the end of a
# WebSocket they hear of it a little later than the page.
# https://github.com/ChromeDevTools/devtools-frontend/blob/main/front_end/models/har/Log.ts
ARCHIVE = """
const [expected, done] = arguments;
(async () => {
  const HAR = await import("devtools://devtools/bundled/models/har/har.js");
  const Logs = await import("devtools://devtools/bundled/models/logs/logs.js");
  const requests = () => Logs.NetworkLog.NetworkLog.instance().requests();
  while (requests().length < expected || requests().some((request) => !request.finished))
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  done(JSON.stringify({ log: await HAR.Log.Log.build(requests(), { sanitize: false }) }, null, 2));
})().catch((error) => done(String(error)));
"""
READY = """
const done = arguments[0];
(async () => {
  const Logs = await import("devtools://devtools/bundled/models/logs/logs.js");
  const SDK = await import("devtools://devtools/bundled/core/sdk/sdk.js");
  while (!SDK.TargetManager.TargetManager.instance().primaryPageTarget() || !document.body.innerText.trim())
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  done();
})().catch((error) => done(String(error)));
"""


@pytest.fixture(scope="module")
def browser():
    """Chromium with a page, and its developer tools in another window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = find("chromium", "chromium-browser", "google-chrome")
    for flag in (
        *CHROMIUM_FLAGS,
        "--remote-allow-origins=*",
        "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
    ):
        options.add_argument(flag)
    with driving(webdriver.Chrome(options, webdriver.ChromeService(find("chromedriver")))) as driver:
        yield driver


@pytest.fixture
def archive(browser, tmp_path):
    """A function: the page opens these WebSockets; the archive is a file."""

    def archive(*urls):
        # At "localhost" the developer tools see nothing.
        address = browser.capabilities["goog:chromeOptions"]["debuggerAddress"].replace("localhost", "127.0.0.1")
        browser.get("about:blank")
        page = browser.current_window_handle
        with urllib.request.urlopen(f"http://{address}/json") as answer:
            socket = next(it["webSocketDebuggerUrl"] for it in json.load(answer) if it["id"] == page)
        browser.switch_to.new_window("tab")
        tools = browser.current_window_handle
        browser.get(f"devtools://devtools/bundled/devtools_app.html?ws={socket.removeprefix('ws://')}")
        assert browser.execute_async_script(READY) is None
        browser.switch_to.window(page)
        browser.execute_async_script(TALK, list(urls))
        browser.switch_to.window(tools)
        text = browser.execute_async_script(ARCHIVE, len(urls))
        path = tmp_path / "chromium.har"
        path.write_text(text, "utf-8")
        return path

    return archive


def test_a_recording_of_a_browser_is_replayed(archive, url, websocket_server):
    """Text, binary, subprotocols; a refusal has its status only in the text of an error, a loss has no end."""
    websocket_server.accept(subprotocol="chat").expect("Hello 🌍").expect(b"\x00\xff").send("welcome 🌍")
    websocket_server.send(b"\x00\xff\x80").send('{"a": 1}').close(4001, "bye")
    websocket_server.next_connection().refuse(403)
    websocket_server.next_connection().accept(subprotocol="v2").send("one").write(b"\x83\x00")
    path = archive(*(websocket_server.url + f"/{number}?token=abc" for number in range(3)))
    recording = Recording(path)
    events = [[placed.event for placed in recording.events(it)] for it in recording.conversations]
    assert [(it.subprotocols, it.url.partition("/?")[0]) for (it, *_) in events if isinstance(it, Request)] == [
        (("chat", "v2"), websocket_server.url + f"/{number}?token=abc") for number in range(3)
    ]
    assert [(it.sender, it.data) for it in events[0] if isinstance(it, Message)] == [
        ("client", "Hello 🌍"),
        ("client", b"\x00\xff"),
        ("server", "welcome 🌍"),
        ("server", b"\x00\xff\x80"),
        ("server", '{"a": 1}'),
    ]
    assert [(it.status, it.subprotocol) for (_, it, *_) in events if isinstance(it, Response)] == [
        (101, "chat"),
        (403, None),
        (101, "v2"),
    ]
    assert isinstance(events[2][-1], Lost)
    assert 0 < events[0][-1].time < 60
    assert "token=abc" not in recording.listing()

    async def talk(url):
        async with connect(url, subprotocols=["chat", "v2"]) as ws:
            await ws.send("Hello 🌍")
            await ws.send(b"\x00\xff")
            return [ws.subprotocol, *[await ws.recv() for _ in range(3)]]

    with replay(path, index=1) as server:
        assert asyncio.run(talk(server.url)) == ["chat", "welcome 🌍", b"\x00\xff\x80", '{"a": 1}']
