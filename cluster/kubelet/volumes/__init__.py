"""The volumes of a node's pods.

Pure: `references` (what a pod refers to), `contents` (the files that a volume shows), `setups`
(what a volume is), `layout` (where it is). The shell: `keeper` sets volumes up, keeps them true and
takes them away; `mounting` tells which of them a container sees. Both work on a `disk`: the real
one (`realdisk`), or one in memory that a runtime in the same process owns. Of a pod on the latter
nothing is made until somebody looks, and nothing of it is watched: ten thousand idle pods cost no
files.
"""
