"""Garbage collection by owner references: `graph` and `verdict` are pure.

Source: the page "Garbage Collection" of the Kubernetes documentation.
"""
