"""Floor 3: kube-proxy: computes the node's service table from Services and EndpointSlices and
programs the runtime's data plane.

- `entries`: from one Service and its slices to table entries, pure.
- `table`: the whole table and its changes, pure.
- `programmer`: keeps the data plane's table equal to ours, also across its restarts.
- `overlay`: the agent of the pod network: peers and NetworkPolicies.
- `component`: informers feed the table, changes are joined, the programmer carries them over.
"""
