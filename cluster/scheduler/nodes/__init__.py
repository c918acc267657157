"""The scheduler's picture of the cluster: nodes in columns, pods on them, bound or assumed."""
