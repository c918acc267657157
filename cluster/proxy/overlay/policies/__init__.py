"""NetworkPolicies, as far as they concern the pods of one node: pure.

- `pods`: what a policy can ask of a pod.
- `selections`: which pods a peer of a rule means, with a name for each selection.
- `sets`: the addresses of selections, kept while pods and namespaces come, change and go.
- `rules`: from one policy to the rules of the data plane.
- `compiler`: all of it together, and what of it changed.

Rules: https://kubernetes.io/docs/concepts/services-networking/network-policies/ and the API's
reference. A change of one pod costs in the number of selections that its namespace is in, never in
the number of pods.
"""
