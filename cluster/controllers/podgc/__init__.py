"""Garbage collection of pods: those of nodes that are gone, and finished ones beyond a number."""
