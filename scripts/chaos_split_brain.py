#!/usr/bin/env python3
"""Lets a node believe that it is alone, and reports what becomes of its pods.

    scripts/chaos_split_brain.py
    scripts/chaos_split_brain.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run split-brain`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N); `kubemu chaos run --help` has all.
"""

import shipped

if __name__ == "__main__":
    shipped.run("split-brain", __doc__)
