#!/usr/bin/env python3
"""Loads the API and slows a kubelet down, and reports who noticed.

    scripts/chaos_noisy_neighbour.py
    scripts/chaos_noisy_neighbour.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run noisy-neighbour`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N); `kubemu chaos run --help` has all.
"""

import shipped

if __name__ == "__main__":
    shipped.run("noisy-neighbour", __doc__)
