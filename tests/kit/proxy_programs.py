"""Proxies of different make, as Debian has them, each started on a free port and ended with its context.

Each gives its ports by scheme, and what stands before the host in its URL.
"""

import contextlib
import os
import pwd
import random
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import environment
from runtimes import Unavailable

USER, PASSWORD, SIMPLE = "user", "p@ss:wörd", "p.a-s_s"  # the simple one is all that tinyproxy can be told
START_WITHIN = 20  # seconds; squid takes its time

TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 600
MaxClients 20
LogFile "{folder}/log"
"""

SQUID = """
http_port 127.0.0.1:{port}
https_port 127.0.0.1:{tls_port} tls-cert={folder}/certificate.pem
pid_filename none
access_log none
cache_log {folder}/log
netdb_filename none
cache deny all
shutdown_lifetime 0 seconds
visible_hostname localhost
"""

# Its helper gets the user's name and password, percent-encoded beyond ASCII, and judges each line.
SQUID_USERS = """
auth_param basic program {folder}/users
auth_param basic realm test
acl known proxy_auth REQUIRED
http_access allow known
"""
SQUID_HELPER = f"""#!/bin/sh
while read -r user password
do
    case "$user $password" in
        "{USER} p@ss:w%C3%B6rd") echo OK ;;
        *) echo ERR ;;
    esac
done
"""

DANTED = """
internal: 127.0.0.1 port = {port}
external: lo
logoutput: {folder}/log
clientmethod: none
socksmethod: none
user.privileged: {account}
user.unprivileged: {account}
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
"""


def credentials(users):
    """What a URL says of the user."""
    return f"{USER}:{quote(PASSWORD)}@" if users else ""


@contextlib.contextmanager
def tinyproxy(authority, users):
    """HTTP, with or without users."""
    with started("tinyproxy", TINYPROXY + (f"BasicAuth {USER} {SIMPLE}\n" if users else ""), "-d", "-c") as port:
        yield {"http": port}, f"{USER}:{SIMPLE}@" if users else ""


@contextlib.contextmanager
def squid(authority, users):
    """HTTP and HTTPS, with or without users."""

    def prepare(folder):
        certificate = authority.issue_cert("127.0.0.1")
        parts = [certificate.private_key_pem, *certificate.cert_chain_pems]
        folder.joinpath("certificate.pem").write_bytes(b"".join(part.bytes() for part in parts))
        folder.joinpath("users").write_text(SQUID_HELPER)
        folder.joinpath("users").chmod(0o755)

    tls_port = free_port()
    lines = SQUID.replace("{tls_port}", str(tls_port)) + (SQUID_USERS if users else "http_access allow all\n")
    with started("squid", lines, "-N", "-f", prepare=prepare) as port:
        yield {"http": port, "https": tls_port}, credentials(users)


@contextlib.contextmanager
def danted(authority, users):
    """SOCKS 4, 4a and 5; its users are those of the system, so there are none."""
    with started("danted", DANTED, "-f") as port:
        yield dict.fromkeys(["socks4", "socks4a", "socks5", "socks5h"], port), ""


@contextlib.contextmanager
def microsocks(authority, users):
    """SOCKS 5, with or without a user."""
    arguments = ["-u", USER, "-P", PASSWORD] if users else []
    with started("microsocks", None, *arguments, "-i", "127.0.0.1", "-p") as port:
        yield dict.fromkeys(["socks5", "socks5h"], port), credentials(users)


@contextlib.contextmanager
def started(name, configuration, *arguments, prepare=None):
    """Start a program whose last argument is its configuration, or else its port; wait until it listens: its port."""
    program = environment.which(name)
    if program is None:
        raise Unavailable(f"{name} is not installed")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pyws-") as folder:
        folder = Path(folder)
        folder.chmod(0o777)  # a program that was started by root changes to another user
        if prepare is not None:
            prepare(folder)
        last = str(port)
        if configuration is not None:
            account = pwd.getpwuid(os.geteuid()).pw_name
            last = str(folder / "configuration")
            Path(last).write_text(configuration.format(port=port, folder=folder, account=account))
        process = subprocess.Popen(
            [program, *arguments, last], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            wait_for(process, port)
            yield port
        finally:
            process.terminate()
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def wait_for(process, port):
    """Wait until something listens on `port`."""
    patience = time.monotonic() + START_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > patience:
                process.kill()
                complaint = process.communicate()[1].decode(errors="replace")
                raise RuntimeError(f"{process.args[0]} does not listen: {complaint}") from None
            time.sleep(0.02)


def free_port():
    """A port on which nobody listens, and that no system gives to whoever connects, so that it stays free."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
