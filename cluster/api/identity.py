"""Who asks: the user that authentication found."""

from dataclasses import dataclass

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
SERVICE_ACCOUNTS = "system:serviceaccounts"
_SERVICE_ACCOUNT = "system:serviceaccount:"
_KEY = "authentication.kubernetes.io/"
CREDENTIAL_ID = f"{_KEY}credential-id"
POD_NAME = f"{_KEY}pod-name"
POD_UID = f"{_KEY}pod-uid"
NODE_NAME = f"{_KEY}node-name"
NODE_UID = f"{_KEY}node-uid"

Extra = tuple[tuple[str, tuple[str, ...]], ...]
"""UserInfo.extra: each key with its values. No dict, so that a user can be a key itself."""


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated user, as authentication.k8s.io UserInfo has it."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Extra = ()


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


def service_account(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"{_SERVICE_ACCOUNT}{namespace}:{name}"


def service_account_groups(namespace: str) -> tuple[str, str]:
    """The groups of every service account of a namespace."""
    return SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}"


def authenticated(user: User) -> User:
    """The user, in the group of all who are known."""
    if AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return User(user.name, (*user.groups, AUTHENTICATED), user.uid, user.extra)
