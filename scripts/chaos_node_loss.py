#!/usr/bin/env python3
"""Switches a node off, machine and all, and reports what the cluster makes of it.

    scripts/chaos_node_loss.py
    scripts/chaos_node_loss.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run node-loss`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N); `kubemu chaos run --help` has all.
"""

import shipped

if __name__ == "__main__":
    shipped.run("node-loss", __doc__)
