#!/usr/bin/env python3
"""Lets the scheduler and the controller manager that lead hang, and reports who takes over.

    scripts/chaos_leader_loss.py
    scripts/chaos_leader_loss.py --compose .

The first is about the cluster of `kubemu up` (--name NAME: another one), the second about that of
`docker compose up` in this folder. It is `kubemu chaos run leader-loss`, whose
other flags it takes, too (--svg FILE, --json FILE, --seed N); `kubemu chaos run --help` has all.
"""

import shipped

if __name__ == "__main__":
    shipped.run("leader-loss", __doc__)
