#!/usr/bin/env bash
# mitmproxy writes the messages of a WebSocket into a HAR file, and does not read them from one.
#
# Its announcement of HAR files: they can be exported (as Chrome writes them) and imported, by `-r` like flows
# (https://www.mitmproxy.org/posts/har-support/). The entry that `hardump` writes has Chrome's `_webSocketMessages`,
# with every message. Read again, it is a GET that was answered with 101, and `flow.websocket` is None, without a
# warning. mitmproxy's own format (`-w`) keeps the messages: use that for what mitmproxy is to load again, and read
# those of a HAR file from its JSON.
#
# Seen with mitmproxy 11.0.2 (so does 12.3.1, which needs Python 3.12), and websockets 17.4 on both sides of it:
#   written into har: send question, receive question
#   read from flows: GET 101 question, question
#   read from har: GET 101 no WebSocket
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for name in proxy sides; do python3 -m venv $name; done
proxy/bin/pip --quiet --disable-pip-version-check install mitmproxy==11.0.2
sides/bin/pip --quiet --disable-pip-version-check install websockets==17.4

cat > record.py <<'PYTHON'
import asyncio, json, re
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

async def echo(connection):
    async for message in connection:
        await connection.send(message)

async def main():
    async with serve(echo, "127.0.0.1", 0) as server:
        mode = f"reverse:http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        command = f"proxy/bin/mitmdump --mode {mode} --listen-host 127.0.0.1 --listen-port 0 --set confdir=settings"
        command += " --set hardump=recording.har -w recording.flows"
        proxy = await asyncio.create_subprocess_exec(*command.split(), stdout=-1, env={"PYTHONUNBUFFERED": "1"})
        try:
            while not (listening := re.search(rb"listening at (\S+)\.\s", await proxy.stdout.readline())):
                assert not proxy.stdout.at_eof()
            async with connect(f"ws://{listening[1].decode()}/", proxy=None) as connection:
                await connection.send("question")
                await connection.recv()
        finally:
            proxy.terminate()  # it writes recording.har then
            await proxy.communicate()

asyncio.run(main())
(entry,) = json.load(open("recording.har"))["log"]["entries"]
messages = [f"{message['type']} {message['data']}" for message in entry["_webSocketMessages"]]
print("written into har:", ", ".join(messages))
PYTHON

cat > read.py <<'PYTHON'
from mitmproxy.io import FlowReader

for kind in ("flows", "har"):
    with open(f"recording.{kind}", "rb") as file:
        (flow,) = FlowReader(file).stream()
    messages = [message.text for message in flow.websocket.messages] if flow.websocket else ["no WebSocket"]
    print(f"read from {kind}:", flow.request.method, flow.response.status_code, ", ".join(messages))
PYTHON

seen="$(timeout 120 sides/bin/python record.py)
$(proxy/bin/python read.py)"
printf '%s\n' "$seen"
test "$seen" = 'written into har: send question, receive question
read from flows: GET 101 question, question
read from har: GET 101 no WebSocket'
