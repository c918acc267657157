"""A rough lab: everything that happens between two parts may take long, get lost or be cut off in
the middle, and a part may be killed between any two steps.

- `crossings`: the moments at which a part sends something to another or gets something; kills are
  set off by them, because between them nobody outside can tell one moment from another.
- `disk`: a store whose writes take time to be durable, and which outlives the API server's memory.
- `wire`: the way to an API server that may die with a request, or with an answer.
- `lines`: a node's calls to its runtime.

A killed part is cut off from all of these before it is cancelled: whatever it does in dying, tidy
as it may be, reaches nobody. That is what `kill -9` looks like from outside.
"""
