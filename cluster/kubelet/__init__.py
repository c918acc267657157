"""Floor 3: the node agent: pods of its node, their status, the node's own status and lease.

`lifecycle/` is the pure core: what a pod needs done next, and the status that it shows. `node/` is
about the Node object and its lease. The rest is the shell: it watches the API, calls the runtime
by CRI and writes statuses. It never imports a runtime: the CRI is handed in.
"""
