"""What would be placed where, without placing it: the same core and plugins, over a state that is
read once, in this process.

- `state`: objects into the cache, and what pods get before a scheduler sees them.
- `expansion`: workloads to the pods that their controllers would make.
- `run`: the decisions, one pod after the other.
"""
