"""What the tests of libraries share: servers, what CPython prints, and what the page of libraries shows."""

import contextlib
import functools
import json

import pytest

import libraryservers
import matrix
import wheels


def pytest_collection_modifyitems(config, items):
    """Leave out what a library does not play in a runtime."""
    played, left_out = [], []
    for item in items:
        played_there = not hasattr(item, "callspec") or is_played(**item.callspec.params)
        (played if played_there else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = played


def is_played(name=None, runtime=None, **_):
    """Whether a test with these parameters is one: those of other tests are not about libraries."""
    return runtime is None or name not in wheels.PINS or matrix.is_played(name, runtime.id)


@pytest.fixture(scope="session")
def origins(peer):
    """Call it for the origin of the server that a library talks to: it is started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        start = functools.cache(lambda name: stack.enter_context(libraryservers.SERVERS[name]()))
        yield lambda name: start(wheels.PINS[name]["server"]) if "server" in wheels.PINS[name] else peer.origin


@pytest.fixture(scope="session")
def on_cpython(tmp_path_factory, worker_id):
    """Call it for what CPython makes of a script: it is played there once, in all processes."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder if worker_id == "master" else folder.parent

    def once(name, play):
        import fcntl  # not on Windows

        file = folder / f"{name}.json"
        with file.open("a+") as shared:
            fcntl.flock(shared, fcntl.LOCK_EX)
            if not file.stat().st_size:
                shared.write(json.dumps(play()))
            shared.seek(0)
            return json.load(shared)

    return once


@pytest.fixture
def note(record_property):
    """Call it with what tests/kit/matrix.py shows of a test; it does what the test asserts."""

    def note(runtime, name, kind, is_right, result, deviation=""):
        mark = matrix.FAILED if not is_right else matrix.DEVIATES if deviation else matrix.SAME
        record_property("library", [name, kind, runtime.id, mark, deviation, runtime.about, result["journal"]])
        assert is_right, json.dumps(result, indent=1, ensure_ascii=False).replace("\\n", "\n")

    return note
