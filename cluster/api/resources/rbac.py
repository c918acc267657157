"""The group `rbac.authorization.k8s.io`."""

from cluster.api.resources.model import META, NAME, Resource

_GROUP = "rbac.authorization.k8s.io"

ROWS: tuple[Resource, ...] = (
    Resource(_GROUP, "v1", "ClusterRole", "clusterroles", namespaced=False, fields=NAME),
    Resource(
        _GROUP, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False, fields=NAME
    ),
    Resource(_GROUP, "v1", "Role", "roles", fields=META),
    Resource(_GROUP, "v1", "RoleBinding", "rolebindings", fields=META),
)
