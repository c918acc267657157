"""Runs an experiment that kubemu ships, for the script of its name."""

import sys
from pathlib import Path

import installed


def run(experiment: str, told: str) -> None:
    """Run it with the flags of this process, and exit as `kubemu chaos run` does. `told` is what
    --help says.
    """
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(told.strip())
        sys.exit(0)
    installed.here()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from cluster.cli.__main__ import main

    main(["chaos", "run", experiment, *sys.argv[1:]])
