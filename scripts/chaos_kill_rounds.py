#!/usr/bin/env python3
"""Kills random processes of a real cluster at random moments under a write load, and judges what
clients, watchers and runtimes saw (docs/chaos.md, "Nothing acknowledged is lost").

    scripts/chaos_kill_rounds.py --rounds 200 --seed 1 [--save FOLDER]

The seed says which processes are killed and when, and what the load does; what the machine makes of
it is its own, so that a round does not go the same way twice. `--start N --rounds 1` begins at a
round. The cluster is one of its own.
"""

import argparse
import sys
from pathlib import Path

import installed

installed.here()
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from chaosrounds import running  # noqa: E402
from chaosrounds.rounds import Report  # noqa: E402


def main() -> int:
    """1 where a round showed a fault."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="how many (20)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what is drawn from (1)")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="the first round (0)")
    parser.add_argument("--ha", action="store_true", help="in a cluster of `kubemu up --ha`")
    parser.add_argument("--all", action="store_true", help="go on after a fault")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="keep logs of a failed run")
    arguments = parser.parse_args()
    settings = running.Settings(
        arguments.rounds,
        arguments.seed,
        arguments.start,
        ("--ha",) if arguments.ha else (),
        arguments.save,
        first_fault_ends=not arguments.all,
    )
    reports = running.run(settings, lambda report: _tell(report, arguments.seed))
    print(running.summary(reports))
    return 1 if any(each.faults for each in reports) else 0


def _tell(report: Report, seed: int) -> None:
    print(
        f"round {report.number}: {report.calls} operations, {report.unanswered} without an answer, "
        f"recovered after {report.recovered:.1f} s, {report.seconds:.1f} s in all; killed "
        f"{', '.join(report.kills)}",
        flush=True,
    )
    for fault in report.faults:
        print(f"- {fault}")
    if report.faults:
        again = f"scripts/chaos_kill_rounds.py --seed {seed} --start {report.number} --rounds 1"
        print(f"  again: {again}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
