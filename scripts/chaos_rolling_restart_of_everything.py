#!/usr/bin/env python3
"""Restarts every process of the cluster in turn, and reports who noticed.

    scripts/chaos_rolling_restart_of_everything.py
    scripts/chaos_rolling_restart_of_everything.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run rolling-restart-of-everything`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N).
"""

import sys
from pathlib import Path

import installed

installed.here()
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cluster.cli.__main__ import main  # noqa: E402

if __name__ == "__main__":
    main(["chaos", "run", "rolling-restart-of-everything", *sys.argv[1:]])
