"""A client of registries: pulls into a store and pushes out of it.

Whatever a registry sends is looked at: sizes are bounded before they are read, digests are
calculated, waiting ends. What goes wrong is `faults.Fault`, in containerd's words where it has
some.
"""
