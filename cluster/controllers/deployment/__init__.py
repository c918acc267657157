"""Deployments: roll a pod template out by scaling ReplicaSets, keep its history, say how it goes.

`hashing`, `revisions`, `budget`, `strategy`, `proportions`, `status` and `history` are pure
pieces; `decision` joins them into one step; `controller` is the shell.
"""
