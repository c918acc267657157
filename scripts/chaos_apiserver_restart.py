#!/usr/bin/env python3
"""Kills and stops the API server, and reports who noticed.

    scripts/chaos_apiserver_restart.py
    scripts/chaos_apiserver_restart.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run apiserver-restart`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N); `kubemu chaos run --help` has all.
"""

import shipped

if __name__ == "__main__":
    shipped.run("apiserver-restart", __doc__)
