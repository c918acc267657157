"""Node life cycle: silent nodes become Unknown, get taints by zone-aware rates, lose their pods.

`health`, `zones`, `pacing` and `taints` are pure; time is an argument of each.
"""
