"""Several authorizers, asked in order: the first that has an opinion decides."""

from collections.abc import Sequence

from cluster.api import identity
from cluster.apiserver.authz.attributes import (
    ALLOWED,
    NO_OPINION,
    Attributes,
    Authorizer,
    Decision,
    UserRules,
)


class Union:
    """Whoever is in `system:masters` may do everything, and is never asked about."""

    def __init__(self, members: Sequence[Authorizer]) -> None:
        self._members = tuple(members)

    def authorize(self, asked: Attributes) -> Decision:
        """The first opinion; without one the reasons of all, one a line."""
        if identity.MASTERS in asked.user.groups:
            return ALLOWED
        reasons: list[str] = []
        for member in self._members:
            decision = member.authorize(asked)
            if decision.allowed or decision.denied:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, False, "\n".join(reasons)) if reasons else NO_OPINION

    def rules_for(self, user: identity.User, namespace: str) -> UserRules:
        """The rules of all of them."""
        found = [member.rules_for(user, namespace) for member in self._members]
        return UserRules(
            tuple(rule for each in found for rule in each.rules),
            tuple(problem for each in found for problem in each.problems),
            any(each.incomplete for each in found),
        )
