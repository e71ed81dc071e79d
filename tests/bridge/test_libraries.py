"""Python's WebSocket libraries in a page: a script prints there what it prints on CPython."""

import itertools

import pytest

import bridge
import wheels
from runtimes import required

URL = "ws://localhost:8765"  # in the programs
numbers = itertools.count()
NO_WAITING = "RuntimeError: WebAssembly stack switching not supported in this JavaScript runtime"
# What Pyodide says instead if its memory was saved in an engine that could.
NO_WAITING_FROM_MEMORY = "RuntimeError: Cannot stack switch because the Python entrypoint was a synchronous function."


@pytest.mark.pyodide
@pytest.mark.parametrize("name", [name for name, library in wheels.PINS.items() if "script" in library])
@pytest.mark.requirements("BRG-05")
def test_library(runtime, origins, on_cpython, note, name):
    library = wheels.PINS[name]
    script, function = wheels.LIBRARIES / library["script"], library.get("function", "main")
    with required():
        provided = wheels.provide(name)
        origin = origins(name)
    expected = on_cpython(name, lambda: bridge.play_on_cpython(script, origin, f"{name}-cpython", provided, function))
    result = bridge.play_in_pyodide(runtime, script, origin, f"{name}-{next(numbers)}", provided, function)
    left_out = library.get("left_out", "")
    said = [line for line in result.pop("log") if not left_out or left_out not in line]
    is_right = result | {"log": said} == expected
    deviation = f"The header {left_out} and its like are left out, and the log says so once." if left_out else ""
    note(runtime, name, "script", is_right, result | {"expected": expected}, deviation)


@pytest.mark.pyodide
@pytest.mark.parametrize("name", [name for name, library in wheels.PINS.items() if "refusals" in library])
def test_what_a_page_cannot_do(runtime, origins, note, name):
    script = wheels.LIBRARIES / wheels.PINS[name]["refusals"]
    with required():
        provided = wheels.provide(name)
        origin = origins(name)
    result = bridge.play_in_pyodide(runtime, script, origin, f"{name}-{next(numbers)}", provided)
    is_right = [result["error"], result["journal"], result["tasks"]] == [None, result["expected"], []]
    note(runtime, name, "refusals", is_right and "hunter2" not in str(result["log"]), result)


@pytest.mark.pyodide
@pytest.mark.parametrize("name", [name for name, library in wheels.PINS.items() if "program" in library])
def test_a_program_that_ends_with_asyncio_run(runtime, peer, on_cpython, note, name):
    """It runs where the browser lets Python wait; elsewhere the call raises, and says so."""
    program = wheels.LIBRARIES / wheels.PINS[name]["program"]
    with required():
        provided = wheels.provide(name)
    url = f"{peer.origin}/{name}-{next(numbers)}?do=accept&do=echo"
    result = bridge.run_in_pyodide(runtime, program, {URL: url}, provided, ["Ann"])
    if runtime.engine in ("chromium", "node", "deno", "bun"):
        urls = {URL: url.replace("?", "-cpython?")}
        expected = on_cpython(program.stem, lambda: bridge.run_on_cpython(program, urls, provided, ["Ann"]))
        note(runtime, name, "program", result == expected, result | {"expected": expected})
    else:
        said = result["error"].splitlines()[-1]
        is_right = result["journal"] == [] and said.startswith((NO_WAITING, NO_WAITING_FROM_MEMORY))
        note(runtime, name, "program", is_right, result, f"The browser does not let Python wait: {NO_WAITING}")
