#!/usr/bin/env python3
"""Runs seeds of the rough lab: small clusters under load whose parts are killed at any moment, and
everything that was seen is judged (docs/chaos.md, "Nothing acknowledged is lost").

    scripts/chaos_seeds.py --seeds 1000 [--start N] [--jobs 2] [--log FILE]
    scripts/chaos_seeds.py --seed N [--log FILE]      # one seed again, with what it told
"""

import argparse
import gc
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import installed

installed.here()
sys.path.insert(0, str(Path(__file__).parent.parent))

import structlog  # noqa: E402

from cluster.lab.seeds import run  # noqa: E402
from cluster.lab.seeds.run import Outcome  # noqa: E402

_SAY_EVERY = 10.0
_COLLECT_EVERY = 12
"""Seeds."""


def main() -> int:
    """1 where a seed failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many (100)")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="the first one (0)")
    parser.add_argument("--seed", type=int, metavar="N", help="this one alone, in this process")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (all)")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write the event log (--seed)")
    parser.add_argument("--verbose", action="store_true", help="show what the parts log (--seed)")
    arguments = parser.parse_args()
    if not arguments.verbose:
        _quiet()
    if arguments.seed is not None:
        outcome = run.run(arguments.seed)
        if arguments.log:
            arguments.log.write_text(outcome.log)
        print(told(outcome))
        return 1 if outcome.faults else 0
    return _many(range(arguments.start, arguments.start + arguments.seeds), arguments.jobs)


def _many(seeds: range, jobs: int) -> int:
    began = said = time.monotonic()
    failed: list[Outcome] = []
    calls = unanswered = kills = done = 0
    for outcome in _outcomes(seeds, jobs):
        done, calls = done + 1, calls + outcome.calls
        unanswered, kills = unanswered + outcome.unanswered, kills + len(outcome.kills)
        if outcome.faults:
            failed.append(outcome)
            print(told(outcome), flush=True)
        if time.monotonic() - said > _SAY_EVERY:
            said = time.monotonic()
            print(f"{done} of {len(seeds)} seeds, {said - began:.0f} s, {len(failed)} failed")
    print(
        f"{len(seeds)} seeds in {time.monotonic() - began:.0f} s: {kills} kills, {calls} "
        f"operations, {unanswered} without an answer, {len(failed)} seeds failed"
    )
    return 1 if failed else 0


def _outcomes(seeds: range, jobs: int) -> Iterator[Outcome]:
    if jobs <= 1:
        yield from map(_lean, seeds)
        return
    with multiprocessing.get_context("fork").Pool(jobs, _collect_seldom) as pool:
        yield from pool.imap_unordered(_lean, seeds, chunksize=4)


def _lean(seed: int) -> Outcome:
    outcome = run.run(seed)
    outcome.log = ""
    if seed % _COLLECT_EVERY == 0:
        gc.collect()
    return outcome


def _collect_seldom() -> None:
    """Collect garbage now and then, of what seeds have made: a lab of its own does so for each, in
    a third of the time that a seed takes.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


def _quiet() -> None:
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=silent)


def told(outcome: Outcome) -> str:
    """An outcome for people, with the command that shows it again."""
    head = (
        f"seed {outcome.seed}: {outcome.calls} operations, {outcome.unanswered} without an answer, "
        f"{outcome.seconds:.0f} virtual seconds, killed {', '.join(outcome.kills) or 'nothing'}\n"
        f"  event log {outcome.digest}"
    )
    if not outcome.faults:
        return f"{head}\n  all is well"
    faults = "".join(f"\n- {fault}" for fault in outcome.faults)
    return f"{head}{faults}\n  again: scripts/chaos_seeds.py --seed {outcome.seed}"


if __name__ == "__main__":
    sys.exit(main())
