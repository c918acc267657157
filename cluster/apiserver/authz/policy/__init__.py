"""The RBAC objects that every cluster starts with: what kube-apiserver bootstraps, and kubemu's.

`notation` reads the tables of `roles`, `controllers` and `components`; `reconciliation` says what
has to be added to a cluster that has some of it already.
"""

from cluster.apiserver.authz.policy.objects import wanted

__all__ = ["wanted"]
