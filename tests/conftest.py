"""The runtimes as one fixture axis, the peer they all talk to, and the picture of what they wrote."""

import asyncio
import gc
import itertools
import os
import re
import signal
import sys
import warnings
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import conformance
import matrix
import wheels
from notation import address
from peer import Peer
from runtimes import RUNTIMES, required
from stage import SCENARIOS

IDS = sorted((runtime.id for runtime in RUNTIMES), key=len, reverse=True)  # one may begin with another
RUNTIME = re.compile(rf"({'|'.join(IDS)})[-\]]")
TESTS = Path(__file__).parent
# Files whose tests share a fixture, which may be expensive, or what they found.
SHARING = {"tests/cpython/test_log.py"}
SHARING |= {
    path.relative_to(TESTS.parent).as_posix()
    for path in TESTS.rglob("test_*.py")
    if 'scope="module"' in path.read_text("utf-8")
}
SLOWEST = [
    "tests/project/test_lab.py",
    "tests/project/test_notebooks.py",
    "tests/outside/test_autobahn.py",
    "tests/project/test_readme.py",
    "tests/project/test_packaging.py",
    *(runtime.id for runtime in reversed(RUNTIMES) if runtime.engine != "cpython"),
]


def pytest_addoption(parser):
    parser.addoption("--runtimes", default="", help="only runtimes whose id begins with this")
    parser.addoption("--no-debug", action="store_true", help="no loop is in asyncio's debug mode")
    parser.addoption("--thorough", action="store_true", help="the longest cases of the Autobahn test suite, too")


def pytest_configure(config):
    """Tests press Ctrl-C: what they start must not inherit that it is ignored, as in the background of a shell.

    With `--no-debug` all loops run as programs run them. A process that only shares out the tests is not measured.
    """
    if config.getoption("no_debug"):
        for runtime in RUNTIMES:
            if runtime.engine == "cpython":
                runtime.debug = False
    measuring = coverage_of_this_process()
    if measuring is not None and config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        measuring.stop()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc):
    """The runtimes as one axis. Session scope groups the tests by it, so that only one browser runs at a time."""
    if "runtime" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("runtimes")
        runtimes = [runtime for runtime in RUNTIMES if runtime.id.startswith(wanted)]
        if marker := metafunc.definition.get_closest_marker("runtimes"):
            runtimes = [runtime for runtime in runtimes if runtime.id.endswith(marker.args)]
        if metafunc.definition.get_closest_marker("pyodide"):
            runtimes = [runtime for runtime in runtimes if runtime.id.startswith(("pyodide", "pyscript"))]
        # Without a runtime the test is skipped by name: an empty list of any other parameter is a mistake.
        parameters = [pytest.param(runtime, id=runtime.id) for runtime in runtimes]
        parameters = parameters or [pytest.param(None, id="none", marks=pytest.mark.skip(f"not in {wanted}"))]
        metafunc.parametrize("runtime", parameters, indirect=True, scope="session")


def runtime_of(nodeid):
    """The id of the runtime in which a test runs, or None."""
    found = RUNTIME.match(nodeid.partition("[")[2])
    return found and found[1]


def group(nodeid):
    """The group of a test, which stays in one process: a browser's runtime, or else its file.

    Files whose tests start nothing that they share are several groups, so that no process works alone at last.
    """
    runtime, file = runtime_of(nodeid), nodeid.partition("::")[0]
    if runtime and not runtime.startswith("cpython"):
        return runtime
    return file if file in SHARING else f"{file} {zlib.crc32(nodeid.encode()) % 6}"


def pytest_collection_modifyitems(config, items):
    """With `--numprocesses` the slowest groups start first."""
    if hasattr(config, "workerinput"):
        order = {name: place for place, name in enumerate(SLOWEST)}
        items.sort(key=lambda item: order.get(group(item.nodeid), len(order)))


# Tests that run no line of the package that others do not run, too. To look at their lines would take as long as to run
# them.
UNMEASURED = re.compile(
    r"tests/(bridge|libraries|outside|pages|project)/"
    r"|tests/cpython/test_hostile\.py::test_(accidents|any|an_end)_"
    r"|tests/cpython/test_compressing\.py::test_any_frames"
    r"|tests/cpython/test_shortcuts\.py::test_the_long_way_has_the_same_journal\[(?!.*compress)"
    r"|\[.*(uvloop|eager)"
)


def is_measured(nodeid):
    """Whether coverage looks at a test where it looks at all."""
    runtime = runtime_of(nodeid)
    return not UNMEASURED.search(nodeid) and (runtime is None or runtime == "cpython")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Coverage rests, in processes that the test starts, too, while a test runs that is not measured."""
    measuring = coverage_of_this_process()
    if measuring is None or is_measured(item.nodeid):
        return (yield)
    told = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    measuring.stop()
    try:
        return (yield)
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the package has been imported
            measuring.start()
        if told is not None:
            os.environ["COVERAGE_PROCESS_CONFIG"] = told


def coverage_of_this_process():
    """What looks at which lines run, if anything does."""
    module = sys.modules.get("coverage")
    return module.Coverage.current() if module else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `--numprocesses`: groups stay together, and start in the order of the tests."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group(nodeid)

    config.option.loadscopereorder = False
    return Together(config, log)


played = {}  # {(scenario, runtime id): what the runtime's `run` returned}
libraries = {}  # {(library, kind, runtime id): what tests/kit/matrix.py shows of it}
seconds = defaultdict(Counter)  # {"runtime" or "file": {which: how long its tests took, with what they set up}}


def pytest_runtest_logreport(report):
    """Collect what every runtime wrote and how long each group took, in whatever process."""
    if id := runtime_of(report.nodeid):
        seconds["runtime"][id] += report.duration
    seconds["file"][report.nodeid.partition("::")[0]] += report.duration
    for name, value in report.user_properties if report.when == "call" else ():
        if name == "played":
            scenario, id, result = value
            played[scenario, id] = result
        elif name == "library":
            library, kind, id, *record = value
            libraries[library, kind, id] = record


def pytest_sessionfinish(session):
    """A journal may differ from the others only by a deviation with a name. A full run is drawn as pages."""
    if hasattr(session.config, "workerinput"):
        return
    if matrix.is_complete(libraries) and not wheels.NEWEST:
        matrix.write(libraries)
    if not played:
        return
    results = conformance.compare(played, RUNTIMES, SCENARIOS)
    if len(played) == len(RUNTIMES) * len(SCENARIOS):
        conformance.write(results)
    session.config.stash[RED] = list(conformance.nameless(results))
    if session.config.stash[RED] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    for kind, totals in seconds.items():
        if len(seconds["file"]) > 1:
            terminalreporter.section(f"seconds of each {kind}, in all processes")
            for name, total in totals.most_common():
                terminalreporter.write_line(f"{total:7.1f}  {name}")
    for line in config.stash.get(RED, []):
        terminalreporter.write_line(f"Wrong, or differs from the other runtimes without a deviation's name: {line}")


RED = pytest.StashKey[list]()
numbers = itertools.count()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    """Tests collect garbage very often: what is there before the first of a group need not be looked at again."""
    if (now := group(item.nodeid)) != item.config.stash.get(GROUP, None):
        item.config.stash[GROUP] = now
        gc.collect()
        gc.freeze()


GROUP = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def peer():
    with Peer() as peer:
        yield peer


@pytest.fixture
def url(peer):
    """Make the URL of a new conversation, in which the peer does these verbs; the last one's key is `url.key`."""

    def url(*verbs, origin=peer.origin):
        url.key = f"url-{next(numbers)}"
        return address(origin, url.key, verbs)

    return url


@pytest.fixture(scope="session")
def runtime(request):
    """One runtime, started once."""
    with required():
        runtime = request.param.__enter__()
    yield runtime
    runtime.__exit__(None, None, None)


@pytest.fixture(
    params=[runtime for runtime in RUNTIMES if runtime.id.startswith("cpython")], ids=lambda runtime: runtime.id
)
def runner(request):
    """What `asyncio.run` is made of, for each kind of loop."""
    with request.param as runtime, asyncio.Runner(debug=runtime.debug, loop_factory=runtime.loop_factory) as runner:
        yield runner
