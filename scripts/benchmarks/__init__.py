"""The measurements behind scripts/bench.py: one file a group of figures."""
