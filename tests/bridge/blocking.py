"""Conversations over sockets that block, below any library: each prints its journal and returns the expected one.

Those that `everywhere` marks are the same on CPython. Those that `anywhere` marks wait for nothing, so that they end in
the same way where Python cannot wait.
"""

import asyncio
import errno
import gc
import os
import select
import selectors
import socket
import ssl
import sys
import threading
import warnings

import pyws
import pyws.bridge

HEAD = (
    "GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)
PATIENCE = 20  # seconds
CONVERSATIONS = {}
EVERYWHERE = set()
ANYWHERE = set()


def conversation(function):
    """Make a conversation known by its name."""
    CONVERSATIONS[function.__name__] = function
    return function


def everywhere(function):
    """Make a conversation known that is the same on CPython."""
    EVERYWHERE.add(function.__name__)
    return conversation(function)


def anywhere(function):
    """Make a conversation known that waits for nothing."""
    ANYWHERE.add(function.__name__)
    return conversation(function)


def parts(url):
    """The host, the port and the target of a URL."""
    host, _, target = url.partition("://")[2].partition("/")
    return host.partition(":")[0], int(host.partition(":")[2]), f"/{target}"


def head(url, more=""):
    """An opening handshake."""
    host, port, target = parts(url)
    return HEAD.format(target=target, host=host, port=port, more=more).encode()


def masked(first, payload):
    """One short frame of a client."""
    return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload


def connect(url, more=""):
    """A socket after the opening handshake."""
    sock = socket.create_connection(parts(url)[:2], timeout=PATIENCE)
    sock.sendall(head(url, more))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += sock.recv(1)
    return sock


def receive(sock, size):
    """So many bytes."""
    return sock.recv(size, socket.MSG_WAITALL)


async def ask(address):
    """Have the peer say what it heard, when the last conversation is over."""
    opened = await pyws.WebSocketStream(f"{address.origin}/heard/{address.key}").opened
    return [message async for message in opened.readable]


def attempt(function, *arguments):
    """What a call returns, or which exception it raises."""
    try:
        return function(*arguments)
    except Exception as error:
        number = getattr(error, "errno", None)
        return f"{type(error).__name__}{f' {errno.errorcode[number]}' if number in errno.errorcode else ''}"


@everywhere
async def a_socket_that_blocks(address):
    """Its methods, as http.client and others call them."""
    url = address("echo")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(PATIENCE)
        print(attempt(sock.recv, 1), sock.connect(parts(url)[:2]))
        print(sock.getpeername() == parts(url)[:2], len(sock.getsockname()), sock.gettimeout(), sock.fileno() > 0)
        print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), sock.family.name, sock.type.name)
        print(sock.send(head(url)) == len(head(url)))
        with sock.makefile("rb", buffering=0) as lines:
            print(lines.readline())
            while lines.readline() != b"\r\n":
                pass
        sock.sendall(memoryview(masked(0x81, b"hello")))
        print(receive(sock, 2), sock.recv(3, socket.MSG_PEEK), receive(sock, 5))
        sock.sendall(masked(0x82, b"\x00\xff"))
        buffer = bytearray(9)
        print(receive(sock, 2), sock.recv_into(buffer, 1), sock.recv_into(memoryview(buffer)[1:]), bytes(buffer))
        sock.sendall(masked(0x81, b"x" * 100))
        with sock.makefile("rb") as file:
            print(file.read(102)[-3:], sock.recv(0))
        sock.settimeout(0.02)
        print(attempt(sock.recv, 1), sock.gettimeout())
        sock.setblocking(False)
        print(attempt(sock.recv, 1), attempt(sock.recv_into, buffer), sock.getblocking())
        sock.setblocking(True)
        sock.sendall(masked(0x88, b"\x03\xe8"))
        print(receive(sock, 4), sock.recv(1), sock.recv(1))
        sock.shutdown(socket.SHUT_RDWR)
        print(sock.recv(1), attempt(sock.send, b"x"))
    print(sock.fileno(), attempt(sock.recv, 1), attempt(sock.send, b"x"), attempt(sock.getpeername))
    with socket.socket() as sock:
        print(attempt(sock.connect, ("127.0.0.1", 99999)), attempt(sock.connect, "127.0.0.1"))
    return [
        "OSError ENOTCONN None",
        f"True 2 {PATIENCE}.0 True",
        "0 AF_INET SOCK_STREAM",
        "True",
        "b'HTTP/1.1 101 Switching Protocols\\r\\n'",
        "b'\\x81\\x05' b'hel' b'hello'",
        "b'\\x82\\x02' 1 1 b'\\x00\\xff\\x00\\x00\\x00\\x00\\x00\\x00\\x00'",
        "b'xxx' b''",
        "TimeoutError 0.02",
        "BlockingIOError EAGAIN BlockingIOError EAGAIN False",
        "b'\\x88\\x02\\x03\\xe8' b'' b''",
        "b'' BrokenPipeError EPIPE",
        "-1 OSError EBADF OSError EBADF OSError EBADF",
        "OverflowError TypeError",
    ]


@everywhere
@anywhere
async def callbacks_of_the_event_loop(address):
    """A socket that does not block is written and read when the event loop calls back, as often as it is ready."""
    loop = asyncio.get_running_loop()
    url = address("echo")
    sock = socket.socket()
    sock.setblocking(False)
    attempt(sock.connect, parts(url)[:2])
    data, changed = bytearray(), asyncio.Event()

    def read(size):
        data.extend(sock.recv(size) or b"end")
        changed.set()

    async def until(end):
        async with asyncio.timeout(PATIENCE):
            while not data.endswith(end):
                await changed.wait()
                changed.clear()

    loop.add_writer(sock, changed.set)
    await until(b"")
    async with asyncio.timeout(PATIENCE):
        await changed.wait()
    print(loop.remove_writer(sock), loop.remove_writer(sock.fileno()))
    sock.send(head(url))
    loop.add_reader(sock.fileno(), read, 1)
    await until(b"\r\n\r\n")
    print(bytes(data[:12]))
    loop.add_reader(sock, read, 4)
    sock.send(masked(0x81, b"hello"))
    await until(b"\x81\x05hello")
    print(loop.remove_reader(sock))
    sock.send(masked(0x81, b"later"))
    loop.add_reader(sock, read, 9)
    await until(b"\x81\x05later")
    sock.send(masked(0x88, b""))
    await until(b"\x88\x00end")
    print(loop.remove_reader(sock), loop.remove_reader(sock))
    sock.close()
    return ["True False", "b'HTTP/1.1 101'", "True", "True False"]


@anywhere
async def a_descriptor_that_is_watched_and_closed(address):
    """Nothing is called any more, and nothing of it is left."""
    from pyws.bridge import watching

    loop = asyncio.get_running_loop()
    called = []
    for add in (loop.add_reader, loop.add_writer):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect(parts(address("echo"))[:2])
        add(sock, called.append, add.__name__)
        await asyncio.sleep(0)
        sock.close()
        called.clear()
        for _ in range(5):
            await asyncio.sleep(0)
    print(called, watching._watches)
    print(attempt(loop.add_reader, 0, print), loop.remove_reader(0))
    return ["[] {}", "NotImplementedError False"]


@everywhere
async def half_of_an_end(address):
    """Who sends nothing any more hears the end; nobody can listen on a socket that is connected."""
    sock = connect(address("until close"))
    print(attempt(sock.listen), attempt(sock.bind, ("127.0.0.1", 0)))
    sock.shutdown(socket.SHUT_WR)
    print(attempt(sock.send, b"x"), sock.recv(9))
    sock.close()
    return ["OSError EINVAL OSError EINVAL", "BrokenPipeError EPIPE b''"]


@everywhere
async def a_descriptor(address):
    """It can be detached, and taken up by another socket."""
    sock = connect(address("echo"))
    number = sock.detach()
    print(sock.fileno(), attempt(sock.send, b"x"))
    with socket.socket(fileno=number) as again:
        again.settimeout(PATIENCE)
        again.sendall(masked(0x81, b"again"))
        print(again.fileno() == number, receive(again, 7))
    return ["-1 OSError EBADF", "True b'\\x81\\x05again'"]


@everywhere
async def a_descriptor_that_is_closed(address):
    """The next socket with its number is another one, and its connection has ended."""
    sock = connect(address("echo"))
    descriptor = sock.detach()
    os.close(descriptor)
    with socket.socket() as other:
        print(other.fileno() == descriptor, attempt(other.getpeername))
    heard = await ask(address)
    print(heard[-1] in ("eof", "reset", "close"))
    return ["True OSError ENOTCONN", "True"]


@everywhere
async def selecting(address):
    """By each of the ways that Python has."""
    with connect(address("echo")) as sock, selectors.DefaultSelector() as selector:
        print(select.select([sock], [sock], [sock], PATIENCE) == ([], [sock], []))
        print(select.select([sock.fileno()], [], [], 0), select.select([sock], [], [], 0.01))
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        selector.register(sock, selectors.EVENT_READ, "data")
        print(poll.poll(0), poll.poll(10), selector.select(0), selector.select(0.01))
        sock.setblocking(False)
        sock.sendall(masked(0x81, b"one"))
        print(select.select([sock, sock.fileno()], [], []) == ([sock, sock.fileno()], [], []))
        print(poll.poll() == [(sock.fileno(), select.POLLIN)], [key.data for key, _ in selector.select()])
        print(sock.recv(99))
        selector.modify(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        poll.modify(sock, select.POLLOUT)
        print([events for _, events in selector.select()] == [selectors.EVENT_WRITE], len(poll.poll()))
        poll.unregister(sock)
        print(poll.poll(0), attempt(poll.unregister, sock), attempt(select.select, ["x"], [], []))
    print(attempt(select.select, [sock], [], []))
    return [
        "True",
        "([], [], []) ([], [], [])",
        "[] [] [] []",
        "True",
        "True ['data']",
        "b'\\x81\\x03one'",
        "True 1",
        "[] KeyError TypeError",
        "ValueError",
    ]


@everywhere
async def names_of_hosts(address):
    """In which ways a program asks for them."""
    port = parts(address("echo"))[1]
    print(socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)[0][::4])
    print([kind for _, kind, *_ in socket.getaddrinfo("localhost", "https", 0, socket.SOCK_STREAM)][:1])
    print(attempt(socket.getaddrinfo, "127.0.0.1", "no such service"))
    with socket.socket() as sock:
        print(sock.connect_ex((socket.gethostbyname("localhost"), port)), sock.getpeername()[1] == port)
        print(errno.errorcode[sock.connect_ex(("127.0.0.1", port))])
    return [
        f"(<AddressFamily.AF_INET: 2>, ('127.0.0.1', {port}))",
        "[<SocketKind.SOCK_STREAM: 1>]",
        "gaierror",
        "0 True",
        "EISCONN",
    ]


@conversation
async def the_page_goes_on(address):
    """While one task blocks, others run, block, and close its socket."""
    first, second = connect(address("echo")), connect(address("echo"))
    order = []

    async def block(sock, name):
        order.append(f"{name} waits")
        order.append(f"{name} has {attempt(receive, sock, 3)}")

    tasks = [asyncio.create_task(block(first, "first")), asyncio.create_task(block(second, "second"))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second.sendall(masked(0x81, b"a"))
    await tasks[1]
    first.close()
    await tasks[0]
    second.close()
    print(*order, sep="\n")
    return ["first waits", "second waits", "second has b'\\x81\\x01a'", "first has OSError EBADF"]


@conversation
async def a_task_that_is_cancelled(address):
    """It is cancelled where it awaits the next time; what has come is not lost."""
    sock = connect(address("echo"))

    async def block():
        try:
            print(receive(sock, 3))
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            print("cancelled")
            raise

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    sock.sendall(masked(0x81, b"a") + masked(0x81, b"b"))
    await asyncio.wait([task])
    print(task.cancelled(), receive(sock, 3))
    sock.close()
    return ["b'\\x81\\x01a'", "cancelled", "True b'\\x81\\x01b'"]


@anywhere
async def where_python_cannot_wait(address):
    """Each call says so, before anything is sent; what need not wait can be done."""
    from pyodide.ffi import create_once_callable

    done = asyncio.get_running_loop().create_future()

    def called_by_javascript():
        try:
            for _ in range(2):
                try:
                    socket.create_connection(("127.0.0.1", 9), timeout=1)
                except RuntimeError as error:
                    print(isinstance(error, KeyboardInterrupt), str(error).partition("which lacks")[0][:17])
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect(("127.0.0.1", 9))
            print(attempt(sock.recv, 1), select.select([sock], [sock], [], 0)[1] == [sock])
            sock.settimeout(1)
            print(attempt(sock.recv, 1))
            sock.close()
        finally:
            done.set_result(None)

    import js

    js.setTimeout(create_once_callable(called_by_javascript), 0)
    await done
    return ["False Python cannot wai", "True Python cannot wai", "BlockingIOError EAGAIN True", "UnableAgainError"]


def refused(data, tls=None):
    """What a page says to the first bytes of a connection."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect(("127.0.0.1", 9))
    try:
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname="127.0.0.1")
        sock.sendall(data)
    except OSError as error:
        print(f"{type(error).__name__}: {str(error)[:60]}")
    print(attempt(sock.recv, 1))
    sock.close()


@anywhere
async def a_page_cannot(address):
    """The same errors as for asyncio."""
    refused(head("ws://127.0.0.1:9/", "Authorization: Bearer hunter2\r\n"))
    refused(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n")
    refused(b"*1\r\n$4\r\nPING\r\n")
    refused(b"CONNECT a:1 HTTP/1.1\r\n\r\n")
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    refused(b"", unchecked)
    try:
        threading.Thread(target=print).start()
    except RuntimeError as error:
        print(str(error).partition(":")[0])
    with socket.socket() as sock:
        print(attempt(asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=sock).send, None))
    return [
        "OSError: a page cannot send the header Authorization: take it away in",
        "OSError",
        "OSError: a page can open WebSockets only: this is another request of ",
        "OSError",
        "OSError: a page can open WebSockets only: the library speaks another ",
        "OSError",
        "OSError: a page cannot choose a proxy, the browser has its own: leave",
        "OSError",
        "OSError: a page cannot switch off the examination of certificates: le",
        "BlockingIOError EAGAIN",
        "a page has no threads (can't start new thread)",
        "OSError",
    ]


@conversation
async def a_server_that_refuses(address):
    """The connection is lost, and says where to look."""
    url = address(r"head HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").replace("do=accept&", "")
    with socket.create_connection(parts(url)[:2], timeout=PATIENCE) as sock:
        sock.sendall(head(url))
        try:
            sock.recv(1)
        except ConnectionError as error:
            print(str(error).partition(",")[0])
        print(select.select([sock], [sock], [], 0)[:2] == ([sock], [sock]))
        print(attempt(sock.send, b"x"), sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET)
    return ["the browser could not open the WebSocket", "True", "ConnectionError True"]


@conversation
async def one_socket_for_asyncio(address):
    """One that was connected by a call that blocks, and over which nothing went yet."""
    url = address("echo")
    sock = socket.create_connection(parts(url)[:2])
    reader, writer = await asyncio.open_connection(sock=sock)
    writer.write(head(url))
    await reader.readuntil(b"\r\n\r\n")
    writer.write(masked(0x81, b"a"))
    print(await reader.readexactly(3), sock.fileno())
    writer.close()
    await writer.wait_closed()
    sock = connect(address("echo"))
    try:
        await asyncio.open_connection(sock=sock)
    except OSError as error:
        print(error)
    sock.close()
    return ["b'\\x81\\x01a' -1", "a page cannot use this socket: something was sent over it already."]


def replaced():
    """What the bridge replaces for libraries that block."""
    return [
        *map(vars(socket.socket).get, ["__init__", "connect", "connect_ex"]),
        *(socket.getaddrinfo, select.select, select.poll, threading.Thread.start, ssl.SSLContext.wrap_socket),
        *(selectors.SelectSelector._select, selectors.PollSelector._selector_cls, list(sys.meta_path)),
    ]


@anywhere
async def what_is_put_back(address):
    """All of it."""
    ours = replaced()
    pyws.bridge.uninstall()
    before = replaced()
    with pyws.bridge.installed():
        print([one is other for one, other in zip(ours, replaced(), strict=True)].count(False))
    print(replaced() == before, any(one is other for one, other in zip(ours, before, strict=True)))
    pyws.bridge.install()
    return ["1", "True False"]


@conversation
async def a_socket_outlives_the_bridge(address):
    """What is open stays open, and others are as without the bridge."""
    sock = connect(address("echo"))
    pyws.bridge.uninstall()
    try:
        sock.sendall(masked(0x81, b"a"))
        print(receive(sock, 3), type(socket.socket()) is socket.socket)
        sock.close()
    finally:
        pyws.bridge.install()
    return ["b'\\x81\\x01a' True"]


@conversation
async def nothing_is_left(address):
    """Of sockets that were closed, forgotten or refused: no connection, no descriptor, no proxy of JavaScript."""
    import pyodide_js
    from pyws.bridge.stream import Stream

    def ways():
        for verbs in ["echo"], ["close"], ["fin"], ["text a", "close 1000 b"]:
            sock = connect(address(*verbs))
            if verbs != ["echo"]:
                sock.sendall(masked(0x88, b""))
                while sock.recv(99):
                    pass
            sock.close()
        sock = connect(address("echo"))
        sock.settimeout(0.01)
        attempt(sock.recv, 1)
        del sock  # it is closed as garbage

    def left():
        gc.collect()
        streams = sum(type(thing) is Stream for thing in gc.get_objects())
        with socket.socket() as sock:
            return streams, sock.fileno(), pyodide_js._module._hiwire_num_refs()

    async def settled():
        for _ in range(50):  # what the browser still ends
            await ask(address)
            if not left()[0]:
                break
        return left()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of the forgotten socket
        ways()
        before = await settled()
        ways()
        after = await settled()
    print(after[0], after[1] - before[1], after[2] <= before[2])
    return ["0 0 True"]
