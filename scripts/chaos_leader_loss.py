#!/usr/bin/env python3
"""Lets the scheduler and the controller manager that lead hang, and reports who takes over.

    scripts/chaos_leader_loss.py
    scripts/chaos_leader_loss.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run leader-loss`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N).
"""

import sys
from pathlib import Path

import installed

installed.here()
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cluster.cli.__main__ import main  # noqa: E402

if __name__ == "__main__":
    main(["chaos", "run", "leader-loss", *sys.argv[1:]])
