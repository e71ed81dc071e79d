"""Examples by the libraries' own authors, as they stand but for URLs: a page prints what CPython prints."""

import itertools
import re

import pytest

import bridge
import examples
import wheels
from environment import CommandError
from notation import address
from runtimes import required

numbers = itertools.count()


@pytest.mark.pyodide
@pytest.mark.runtimes("pyodide-node", "pyodide-chromium")
@pytest.mark.parametrize("name", examples.EXAMPLES)
@pytest.mark.requirements("BRG-05")
def test_example(runtime, origins, on_cpython, tmp_path, name):
    example = examples.EXAMPLES[name]
    with required():
        provided = wheels.provide(example["library"])
        origin = origins(example["library"])
    try:
        text = examples.text(name)
    except CommandError as error:
        if "debian" not in example:
            raise
        pytest.skip(str(error))  # another Linux has no such archive
    program = tmp_path / "program.py"
    program.write_text(text)

    def play(run, *runtime):
        key = f"example-{next(numbers)}"
        urls = {
            url: address(origin, key, ["accept", *does]) if does else origin for url, does in example["urls"].items()
        }
        result = run(*runtime, program, urls, provided, example.get("typed", []))
        return [[re.sub(example.get("differs", "(?!)"), "…", line) for line in result["journal"]], result["error"]]

    expected = on_cpython(re.sub(r"\W+", "-", name), lambda: play(bridge.run_on_cpython))
    assert all(url in text for url in example["urls"])
    assert expected[0] and expected[1] is None, expected
    assert play(bridge.run_in_pyodide, runtime) == expected
