"""What is measured: each work is one line of a table, with the programs that do it and the targets of pyws."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

USUAL = "as people use it"
LEVEL_6 = "zlib's level 6"
LIBRARIES = ["websockets", "aiohttp", "picows", "bare"]
OVER_THE_BRIDGE = {"websockets": "websockets-17", "aiohttp": "aiohttp-3"}  # in tests/libraries/pins.toml
DEFAULTS = ["websockets", "aiohttp", "aiohttp, compress=15", "pyws[speed]", "pyws[speed], fast"]
IMPORTS = {"pyws": "pyws", "websockets": "websockets.asyncio.client", "aiohttp": "aiohttp"}


@dataclass(frozen=True)
class Target:
    """How many times better than a peer pyws is to be; of bytes, how many times as many it may send at most."""

    peer: str
    ratio: float
    ours: str = "pyws"


@dataclass
class Work:
    """One line of a table: what is done, and by whom besides pyws."""

    group: str
    label: str
    peers: list[str]
    arguments: dict[str, Any]
    quick: bool = False  # whether a quick run has it
    less_is_better: bool = False
    targets: tuple[Target, ...] = ()
    server: str = "raw"  # or a library, whose server it is, at its defaults
    scheme: str = "ws:"
    rounds: int | None = None  # if it needs no more, since its figures vary little
    drawn: bool = True  # whether the picture of the group shows it

    @property
    def in_page(self) -> bool:
        """Whether a browser does it."""
        return self.group in ("page", "bridge")

    def value(self, figures: dict[str, Any]) -> float:
        """What is compared: per second, or bytes, or seconds."""
        for name in ("p50", "bytes", "import"):
            if name in figures:
                return float(figures[name])
        return float(figures["n"] / figures["seconds"])

    def said(self, value: float) -> str:
        """A value, for people."""
        if self.group == "round trip" or self.group == "import":
            return f"{value * 1e6:,.0f} µs"
        if self.arguments.get("kind") == "idle":
            return f"{value / 1024:,.1f} KiB"
        return f"{value:,.0f}/s"


def works(quick: bool) -> list[Work]:
    """Everything that is measured, in the order of the report."""
    less = 5 if quick else 1
    found = [*_usual(less), *_raw(less), *_pages(less)]
    return [work for work in found if work.quick or not quick]


def least(**ratios: float) -> tuple[Target, ...]:
    """Targets by the names of the peers."""
    return tuple(Target(name, ratio) for name, ratio in ratios.items())


def _usual(less: int) -> Iterator[Work]:
    """Clients and servers as they are by default: compression, TLS, connecting."""
    compressing = "aiohttp, compress=15"
    for scheme in ("ws:", "wss:"):
        for size, label, n, in_flight, to_aiohttp, to_aiohttp_fast in (
            (256, "256 B", 6000, 32, 1.0, 1.2),
            (1024, "1 KiB", 4000, 32, 1.2, 1.5),
            (65536, "64 KiB", 150, 8, 2.0, 2.0),
        ):
            if scheme == "ws:":
                targets = [Target("websockets", 2.0), Target(compressing, to_aiohttp), Target(LEVEL_6, 1.25)]
                fast = "pyws[speed], fast"
                targets += [Target(compressing, to_aiohttp_fast, fast), Target(LEVEL_6, 1.5, fast)]
            else:
                targets = [Target("websockets", 1.5), Target(compressing, 1.1)]
            for server in ("websockets", "aiohttp"):
                arguments = {"kind": "documents", "size": size, "n": n // less, "in_flight": in_flight}
                of_websockets = server == "websockets"
                yield Work(
                    USUAL,
                    f"{scheme} {label}, server {server}",
                    DEFAULTS,
                    arguments,
                    quick=size == 1024 if scheme == "wss:" else size == 256 and of_websockets,
                    targets=tuple(targets),
                    server=server,
                    scheme=scheme,
                    drawn=of_websockets and (size != 65536 if scheme == "ws:" else size != 256),
                )
    for scheme, n in (("ws:", 500), ("wss:", 200)):
        for server in ("websockets", "aiohttp"):
            yield Work(
                USUAL,
                f"{scheme} open and close, server {server}",
                DEFAULTS[:3],
                {"kind": "open and close", "n": n // less},
                quick=server == "websockets",
                targets=(Target("websockets", 1.2), Target("aiohttp", 1.2)),
                server=server,
                scheme=scheme,
                drawn=server == "websockets",
            )
    for label, messages in (("fresh", 0), ("after a message each way", 1)):
        yield Work(
            USUAL,
            f"wss: memory of an idle connection, {label}",
            DEFAULTS,
            {"kind": "idle", "size": 1024, "n": 500 // less, "in_flight": messages},
            quick=bool(messages),
            less_is_better=True,
            targets=(Target("websockets", 1 / 0.6),),
            server="websockets",
            scheme="wss:",
            rounds=3 if less == 1 else 1,
            drawn=bool(messages),
        )


def _raw(less: int) -> Iterator[Work]:
    """Clients alone, against a raw server: no compression, no TLS."""
    sizes = {32: "32 B", 256: "256 B", 8192: "8 KiB", 1 << 20: "1 MiB"}
    for group, numbers in {
        "flood": (200_000, 200_000, 50_000, 1_000),
        "echo": (50_000, 50_000, 20_000, 400),
        "send": (100_000, 100_000, 30_000, 500),
    }.items():
        for (size, label), n in zip(sizes.items(), numbers, strict=True):
            large = size > 100_000
            in_flight = 4 if large else 64
            peers = ["websockets", "aiohttp", "picows", "picows, text", "bare"]
            targets: tuple[Target, ...] = ()
            if group == "flood":
                peers = ["websockets", "aiohttp", "aiohttp, receive()", "picows", "picows, text", "bare"]
                if size == 256:
                    targets = (*least(websockets=3.0, aiohttp=1.0, picows=0.5), Target("aiohttp, receive()", 1.0))
            elif group == "send":
                peers = LIBRARIES
            else:
                label += f", {in_flight} in flight"
                ratios = (1.5, 2.0, 1.0) if large else (2.0, 1.2, 1.1)
                targets = least(**dict(zip(LIBRARIES, ratios, strict=False)))
            arguments = {"kind": group, "size": size, "n": n // less, "in_flight": in_flight}
            quick = size == 256 or (large and group == "echo")
            yield Work(group, label, peers, arguments, quick, targets=targets)
    arguments = {"kind": "round trip", "size": 256, "n": 10_000 // less}
    targets = least(websockets=1.0, aiohttp=1.0, picows=1 / 1.1)
    yield Work("round trip", "256 B, p50", LIBRARIES, arguments, True, True, targets)
    arguments = {"kind": "open and close", "n": 1000 // less, "path": "/echo?size=1"}
    yield Work("connections", "opened and closed", LIBRARIES, arguments)
    arguments = {"kind": "idle", "n": 1000, "path": "/echo?size=1"}
    yield Work("idle", "memory of an idle one", LIBRARIES, arguments, False, True, least(websockets=1.0), rounds=3)
    arguments = {"kind": "import"}
    yield Work("import", "import", ["websockets", "aiohttp"], arguments, True, True, least(websockets=1.0))


def _pages(less: int) -> Iterator[Work]:
    """In Chromium: Pyodide, Brython, and other libraries over the bridge."""
    for runtime, hand in (("pyscript", "js.WebSocket"), ("brython", "window.WebSocket")):
        rivals = ["javascript", hand, *(["pyscript.WebSocket"] if runtime == "pyscript" else [])]
        for size, label, in_flight in ((256, "256 B", 64), (1 << 18, "256 KiB", 4)):
            for kind in ("text", "binary"):
                n = {"pyscript": (20_000, 800), "brython": (10_000, 60)}[runtime][size > 256] // less
                targets: tuple[Target, ...]
                arguments = {"runtime": runtime, "kind": kind, "size": size, "n": max(n, 10), "in_flight": in_flight}
                if runtime == "pyscript":
                    name = "Pyodide"
                    targets = (Target("javascript", 0.9), Target(hand, 1.0))
                else:
                    name = "Brython"
                    targets = (Target("javascript", 0.8 if kind == "text" else 0.5 if size == 256 else 0.3),)
                yield Work("page", f"{name}, {label} {kind}", rivals, arguments, size == 256, targets=targets)
    for size, label, kind, n, share in (
        (256, "256 B", "text", 20_000, 0.6),
        (1 << 16, "64 KiB", "text", 4_000, 0.8),
        (1 << 18, "256 KiB", "binary", 2_000, 0.8),
    ):
        arguments = {"runtime": "bridge", "kind": kind, "size": size, "n": n // less, "in_flight": 32}
        peers = list(OVER_THE_BRIDGE)
        targets = least(**dict.fromkeys(peers, share))
        yield Work("bridge", f"{label} {kind}, 32 in flight", peers, arguments, size == 256, targets=targets)
