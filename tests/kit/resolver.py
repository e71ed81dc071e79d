"""A resolver that knows names of our own."""

import socket


def resolving(monkeypatch, names):
    """Let each of `names` have the addresses that it has there; all others have those that the system knows."""
    system = socket.getaddrinfo

    def resolve(host, port, *arguments, **keywords):
        name = host.decode() if isinstance(host, bytes) else host
        addresses = names.get(name, [name])
        return [found for address in addresses for found in system(address, port, *arguments, **keywords)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
