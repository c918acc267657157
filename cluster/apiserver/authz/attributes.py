"""The question and the answer of authorization, as k8s.io/apiserver/pkg/authorization has them."""

from typing import NamedTuple, Protocol

from cluster.api import identity
from cluster.apiserver.authz.rules import Rule


class Attributes(NamedTuple):
    """Who wants to do what. With a `path` it is a request that is for no resource.

    `verb` is the API's verb (`list`) for resources and the HTTP method in lower case for paths.
    `resource` is the plural. `fields` is the field selector of a list, watch or deletecollection,
    as text. A tuple, because it is made for every request.
    """

    user: identity.User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    fields: str = ""


class Decision(NamedTuple):
    """`denied` is a refusal that no other authorizer may overrule; neither: no opinion."""

    allowed: bool
    denied: bool = False
    reason: str = ""


NO_OPINION = Decision(False)
ALLOWED = Decision(True)


class UserRules(NamedTuple):
    """What a user may do in a namespace, as far as rules can tell it.

    `problems` are the roles that could not be found. `incomplete`: there may be more.
    """

    rules: tuple[Rule, ...] = ()
    problems: tuple[str, ...] = ()
    incomplete: bool = False


class Authorizer(Protocol):
    """Answers at once, from what it holds."""

    def authorize(self, asked: Attributes) -> Decision:
        """Whether it may be done."""
        ...

    def rules_for(self, user: identity.User, namespace: str) -> UserRules:
        """The rules that apply to a user in a namespace ("" for cluster-wide ones alone)."""
        ...
