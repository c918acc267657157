"""Works a cluster hard while things go wrong, and remembers all that it was told.

`registers` writes and reads ConfigMaps from several clients, every value once, as a history for
`checking`; `watching` watches them; `workloads` scales, rolls and makes workloads. All of it talks
to a cluster by `client.Client` alone, so it works on real clusters and in the lab.
"""
