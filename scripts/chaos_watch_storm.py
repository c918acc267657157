#!/usr/bin/env python3
"""Opens hundreds of watches again and again, and reports what that costs.

    scripts/chaos_watch_storm.py
    scripts/chaos_watch_storm.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run watch-storm`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N); `kubemu chaos run --help` has all.
"""

import shipped

if __name__ == "__main__":
    shipped.run("watch-storm", __doc__)
