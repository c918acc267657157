"""The agent of the pod network: what flannel's or Calico's daemon is to a node. It runs inside of
kube-proxy, and programs the node's data plane (`cluster/v1/overlay.proto`).

- `nodes`: Node objects as peers, and the annotations by which nodes tell of themselves, pure.
- `policies`: NetworkPolicies as rules for the pods of this node, pure.
- `tables`: all that is to be programmed, and what of it changed, pure.
- `following`: feeds the tables from watches.
- `programmer`: keeps the data plane's tables equal to ours, also across its restarts.
- `agent`: brings the back end up, writes the node's annotations and its condition.
"""
