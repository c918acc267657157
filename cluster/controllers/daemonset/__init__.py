"""DaemonSets: a pod on every node that should have one.

`placement` (which nodes those are), `podmaking` (what their pods look like), `observed` (the pods
by node), `nodepods` (what is to be done on each node), `rollout` (which old pods make way),
`status` and `failures` (back-off of pods that fail) are pure; `history`, `awaited` (what the cache
does not show yet) and `controller` are the shell.
"""
