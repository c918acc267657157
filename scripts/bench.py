#!/usr/bin/env python3
"""Measures kubemu on this machine and prints each figure beside what is asked of it.

    scripts/bench.py [GROUP…] [--json FILE]

Groups: calibration, api, clusters, scale, node, streams, rest, watch, lab, scheduler, network,
netns (default: all), and month (the whole of a figure of lab's, which takes minutes). The
calibration figures are of work that is not kubemu's: compare figures of different days by their
ratio to them.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

import installed

installed.here()
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from benchmarks import figures  # noqa: E402

GROUPS = (
    "calibration", "api", "clusters", "scale", "node", "streams", "rest", "watch", "lab",
    "scheduler", "network", "netns",
)  # fmt: skip
LONG = ("month",)
"""Groups that are run where they are asked for by name."""


def main() -> int:
    """Measure; 1 where a target was missed or a measurement failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS + LONG))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()
    unknown = [group for group in arguments.groups if group not in GROUPS + LONG]
    if unknown:
        parser.error(f"no group {unknown[0]!r}: choose from {', '.join(GROUPS + LONG)}")
    outcomes: list[figures.Outcome] = []
    for group in arguments.groups or GROUPS:
        for outcome in importlib.import_module(f"benchmarks.{group}").measure():
            print(figures.line(outcome), flush=True)
            outcomes.append(outcome)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures.as_json(outcomes), indent=2) + "\n")
    missed = [o for o in outcomes if isinstance(o, figures.Figure) and o.met is False]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
