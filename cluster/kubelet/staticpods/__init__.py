"""Static pods: those that a kubelet has from files or a URL, and their mirrors in the API.

`manifests` and `mirrors` are pure; `sources` read, and `keeper` joins them with an agent.
"""
