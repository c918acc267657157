"""API priority and fairness: a flood of one client leaves room for the others.

`schemas` sorts requests into flows (pure), `dispatching` shares the seats out (pure: calls in,
decisions out), `settings` turns FlowSchemas and PriorityLevelConfigurations into what both work
with, and `gate` is the thin shell in which requests wait. Source: the concepts of
kubernetes.io/docs/concepts/cluster-administration/flow-control.
"""
