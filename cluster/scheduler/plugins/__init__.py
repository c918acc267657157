"""The plugins, one a file, named as in Kubernetes.

`registry` has all of them by name and builds profiles; `handle` is what they are given; `outside`
finds plugins of others, and `guard` keeps their faults to one attempt. DynamicResources is not here
yet: pods that need it are scheduled without, with a warning (see `unsupported`).
"""
