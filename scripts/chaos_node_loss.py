#!/usr/bin/env python3
"""Switches a node off, machine and all, and reports what the cluster makes of it.

    scripts/chaos_node_loss.py
    scripts/chaos_node_loss.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run node-loss`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N).
"""

import sys
from pathlib import Path

import installed

installed.here()
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cluster.cli.__main__ import main  # noqa: E402

if __name__ == "__main__":
    main(["chaos", "run", "node-loss", *sys.argv[1:]])
