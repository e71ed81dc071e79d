"""What a program does with gql, over either of its transports: the same file on CPython and in a page."""

from gql import Client, gql
from gql.transport.exceptions import TransportQueryError

PATIENCE = {"connect_timeout": 60, "ack_timeout": 60, "close_timeout": 60}


async def over_websockets(address):
    from gql.transport.websockets import WebsocketsTransport

    await converse(WebsocketsTransport(f"{address.origin}/graphql", connect_args={"open_timeout": 60}, **PATIENCE))


async def over_aiohttp(address):
    from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport

    await converse(AIOHTTPWebsocketsTransport(f"{address.origin}/graphql", **PATIENCE))


async def converse(transport):
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        request = gql("query Greet($name: String!) { greeting(name: $name) }")
        request.variable_values = {"name": "ü 🌍"}
        print(await session.execute(request))
        print(await session.execute(gql('mutation { reverse(text: "abc") }')))
        async for result in session.subscribe(gql("subscription { count(to: 3) }")):
            print(result)
        async for result in session.subscribe(gql("subscription { count(to: 1000000) }")):
            print(result)
            break  # the server is told to stop
        try:
            await session.execute(gql("query Greet($name: String!) { greeting(name: $name) }"))
        except TransportQueryError as error:
            print(type(error).__name__, error.errors[0]["message"])
    print("closed")
