"""Authorization: may a user do what is asked? Both faces, and the lab's wire, ask before they act.

An authorizer is a pure question on indices that the watch cache keeps current: it never waits. The
modes are those of kube-apiserver's --authorization-mode: AlwaysAllow, AlwaysDeny, Node and RBAC.
"""
