"""Floor 4: the lab. A whole cluster in one process, on virtual time, from a seed.

It builds the very components that run as processes, on the virtual loop, the direct transport and
storage in memory. The same seed gives the same event log, byte for byte; every run checks the
invariants of a cluster. It must contain nothing that stands in for a component: only the seams
(clock, client, CRI, underlay) are its own.
"""
