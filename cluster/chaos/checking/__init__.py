"""Judges what clients of a cluster saw: pure. What was acknowledged has to be there.

`history` is what clients did and were told, `register` what one object may do, `linearizability`
whether there is an order of the operations on it that explains all answers, and `story` the fewest
of them that have none. `ordering` looks at revisions over all objects, `watches` at what watches
told, `pods` at where pods ran, `convergence` at what a cluster at rest looks like; `judging` asks
all but the last. It talks to nobody and knows no component: what is to be judged is handed to it.
"""
