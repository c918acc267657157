"""The groups `authentication.k8s.io` and `authorization.k8s.io`: questions, answered at a create.

Nothing of them is ever stored; the API server has a handler for each (`apiserver.virtual`).
"""

from cluster.api.resources.model import Resource

_AUTHENTICATION = "authentication.k8s.io"
_AUTHORIZATION = "authorization.k8s.io"
_CREATE = ("create",)

ROWS: tuple[Resource, ...] = (
    Resource(
        _AUTHENTICATION, "v1", "TokenReview", "tokenreviews", namespaced=False, verbs=_CREATE
    ),
    Resource(
        _AUTHENTICATION, "v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False,
        verbs=_CREATE, since=28,
    ),
    Resource(
        _AUTHORIZATION, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews",
        verbs=_CREATE,
    ),
    Resource(
        _AUTHORIZATION, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews",
        namespaced=False, verbs=_CREATE,
    ),
    Resource(
        _AUTHORIZATION, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews",
        namespaced=False, verbs=_CREATE,
    ),
    Resource(
        _AUTHORIZATION, "v1", "SubjectAccessReview", "subjectaccessreviews",
        namespaced=False, verbs=_CREATE,
    ),
)  # fmt: skip
