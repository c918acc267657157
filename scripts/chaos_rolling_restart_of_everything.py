#!/usr/bin/env python3
"""Restarts every process of the cluster in turn, and reports who noticed.

    scripts/chaos_rolling_restart_of_everything.py
    scripts/chaos_rolling_restart_of_everything.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run rolling-restart-of-everything`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N); `kubemu chaos run --help` has all.
"""

import shipped

if __name__ == "__main__":
    shipped.run("rolling-restart-of-everything", __doc__)
