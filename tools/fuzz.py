"""Play a million hostile conversations, offline: mutated ones on all cores, then ones that seek new branches.

python3 tools/fuzz.py [--runs N] [--seconds N] [--seed N]

`--runs` mutated conversations, then `--seconds` of coverage-guided fuzzing with atheris. With one of these options only
that part is run; without them, a million conversations and a minute. A conversation that breaks a law of
tests/kit/offline.py is printed in a form that can be pasted into a test, and ends the run.
"""

import argparse
import multiprocessing
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import environment

if __name__ == "__main__":
    environment.enter("test")

sys.path[:0] = [str(environment.ROOT), str(environment.ROOT / "tests" / "kit")]

if TYPE_CHECKING:
    atheris: Any
    offline: Any
elif "--guided" in sys.argv:
    import atheris

    # atheris takes whole packages only. asyncio is not under test.
    with atheris.instrument_imports(include=["pyws", "websockets"]):
        import offline
else:
    import offline

BATCH = 2000  # conversations that a worker plays before it reports
LONGEST = 5000  # bytes of an input of atheris


def play_batch(seed: int) -> tuple[Counter[str], str | None]:
    """Play a batch in a worker: the figures, and the message of a conversation that broke a law, or None."""
    accidents = random.Random(seed)
    figures: Counter[str] = Counter()
    with offline.offline_server() as server:
        for _ in range(BATCH):
            try:
                events = server.play(offline.mutated(accidents))
            except offline.ViolationError as error:
                return figures, str(error)
            figures["opened"] += events[0].type == "open"
            figures["messages"] += sum(event.type == "message" for event in events)
            figures["clean"] += events[-1].wasClean
            figures["conversations"] += 1
    return figures, None


def mutate(runs: int, seed: int) -> None:
    """Play mutated conversations on all cores."""
    cores = os.cpu_count() or 1
    print(f"{runs:,} mutated conversations, {cores} processes, --seed {seed}", flush=True)
    figures: Counter[str] = Counter()
    start = shown = time.monotonic()
    batches = range(-(-runs // BATCH))
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        for batch, violation in pool.imap_unordered(play_batch, (seed * 1_000_003 + number for number in batches)):
            figures += batch
            if violation:
                raise environment.CommandError(f"A law is broken: {violation}")
            now = time.monotonic()
            if now - shown > 10 or figures["conversations"] >= runs:
                shown = now
                report(figures, now - start)


def report(figures: Counter[str], seconds: float) -> None:
    """Print one line of figures."""
    number = figures["conversations"]
    print(
        f"{number:>10,} conversations {seconds:7.0f} s {number / seconds:7.0f} /s   {figures['opened'] / number:4.0%} "
        f"opened, {figures['clean'] / number:4.0%} closed cleanly, {figures['messages']:,} messages",
        flush=True,
    )


def guide(seconds: int) -> None:
    """Run atheris in a process of its own, because it ends the process."""
    if sys.platform != "linux":
        raise environment.CommandError("atheris, which seeks new branches, is for Linux: use --runs alone here.")
    print(f"coverage-guided, {seconds} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for number, stream in enumerate(offline.CORPUS):
            (corpus / str(number)).write_bytes(bytes([1, 0, 0, 0, 0]) + stream[:LONGEST])
        words = ["".join([f"\\x{byte:02x}" for byte in token]) for token in set(offline.TOKENS)]
        Path(folder, "tokens").write_text("".join([f'"{word}"\n' for word in words if len(word) < 240]))
        command = [sys.executable, __file__, "--guided", folder, "--seconds", str(seconds)]
        if subprocess.run(command, cwd=environment.ROOT).returncode:
            raise environment.CommandError("The coverage-guided run found what is printed above.")


def guided(folder: str, seconds: int) -> None:
    """Run in the process of `guide`: each input of atheris is a conversation."""
    options = {
        "max_total_time": seconds,
        "dict": f"{folder}/tokens",
        "artifact_prefix": f"{folder}/",
        "max_len": LONGEST,
        "timeout": 20,
        "rss_limit_mb": 2000,
        "print_final_stats": 1,
    }
    with offline.offline_server() as server:
        arguments = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup(
            [sys.argv[0], *arguments, f"{folder}/corpus"],
            lambda data: server.play(offline.Conversation.read(data)) and None,
        )
        atheris.Fuzz()


def main() -> None:
    """Run the parts that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, help="mutated conversations; alone, leaves the other part out")
    parser.add_argument("--seconds", type=int, help="of coverage-guided fuzzing; alone, leaves the other part out")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32), help="of the mutations, to repeat them")
    parser.add_argument("--guided", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.guided:
        guided(options.guided, options.seconds)
    runs, seconds = options.runs, options.seconds
    if runs is None and seconds is None:
        runs, seconds = 1_000_000, 60
    if runs:
        mutate(runs, options.seed)
    if seconds:
        guide(seconds)
    print("Every law was kept.")


if __name__ == "__main__":
    main()
