#!/usr/bin/env python3
"""Cuts a node off from the others, and reports what that costs.

    scripts/chaos_network_partition.py
    scripts/chaos_network_partition.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run network-partition`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N); `kubemu chaos run --help` has all.
"""

import shipped

if __name__ == "__main__":
    shipped.run("network-partition", __doc__)
