"""AlwaysAllow and AlwaysDeny."""

from cluster.api import identity
from cluster.apiserver.authz import rules
from cluster.apiserver.authz.attributes import ALLOWED, NO_OPINION, Attributes, Decision, UserRules


class AlwaysAllow:
    """Everybody may do everything."""

    def authorize(self, asked: Attributes) -> Decision:
        """Yes."""
        return ALLOWED

    def rules_for(self, user: identity.User, namespace: str) -> UserRules:
        """All there is."""
        return UserRules(rules.FULL)


class AlwaysDeny:
    """Nobody may do anything, for all that it knows."""

    def authorize(self, asked: Attributes) -> Decision:
        """No opinion, as kube-apiserver's AlwaysDeny has none."""
        return NO_OPINION

    def rules_for(self, user: identity.User, namespace: str) -> UserRules:
        """Nothing."""
        return UserRules()
