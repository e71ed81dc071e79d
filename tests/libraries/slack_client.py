"""What slack_sdk does in Socket Mode, when it has its URL: the same file on CPython and in a page."""

import asyncio

from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

ENVELOPE = '{"envelope_id":"1","type":"events_api","accepts_response_payload":false,"payload":{"text":"hello"}}'


async def main(address):
    client = SocketModeClient(app_token="xapp-local", auto_reconnect_enabled=False)
    client.wss_uri = address(f"text {ENVELOPE}", "read", "until close")
    answered = asyncio.get_running_loop().create_future()

    async def answer(client, request):
        print(request.type, request.payload)
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        answered.set_result(None)

    client.socket_mode_request_listeners.append(answer)
    await client.connect()
    print("connected", await client.is_connected())
    await answered
    await client.close()
    print("closed", client.closed)
