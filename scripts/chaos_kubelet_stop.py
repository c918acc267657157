#!/usr/bin/env python3
"""Stops the kubelet of a node, and reports what the cluster makes of it.

    scripts/chaos_kubelet_stop.py
    scripts/chaos_kubelet_stop.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run kubelet-stop`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N); `kubemu chaos run --help` has all.
"""

import shipped

if __name__ == "__main__":
    shipped.run("kubelet-stop", __doc__)
