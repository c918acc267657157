"""Impersonation: acting as somebody else, by headers, for who may (`kubectl --as`).

Every part of the other identity is asked about by itself: users, groups, uids and each extra value.
Source of the rules: k8s.io/apiserver/pkg/endpoints/filters/impersonation.go.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from cluster.api import errors, identity
from cluster.apiserver.authz import gate
from cluster.apiserver.authz.attributes import Attributes, Authorizer

PREFIX = "impersonate-"
_EXTRA = "impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"
_ACCOUNT = "system:serviceaccount:"


def impersonated(
    authorizer: Authorizer, user: identity.User, headers: Sequence[tuple[str, str]]
) -> identity.User:
    """Whom the user acts as. `headers` are all of the request's; names in any case.

    errors.Forbidden; errors.BadRequest where groups or the like are named and no user is.
    """
    found = [(name.lower(), value) for name, value in headers]
    wanted = _wanted(found)
    if wanted is None:
        return user
    for asked in _questions(user, wanted):
        gate.check(authorizer, asked)
    return _completed(wanted)


def _wanted(headers: Sequence[tuple[str, str]]) -> identity.User | None:
    name = uid = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    for header, value in headers:
        if header == "impersonate-user":
            name = name or value
        elif header == "impersonate-uid":
            uid = uid or value
        elif header == "impersonate-group":
            groups.append(value)
        elif header.startswith(_EXTRA) and len(header) > len(_EXTRA):
            extra.setdefault(unquote(header[len(_EXTRA) :]).lower(), []).append(value)
    if name:
        pairs = tuple((key, tuple(values)) for key, values in sorted(extra.items()))
        return identity.User(name, tuple(groups), uid, pairs)
    if groups or extra or uid:
        raise errors.BadRequest(
            "requested impersonation of groups, uid or extra without impersonating a user"
        )
    return None


def _questions(user: identity.User, wanted: identity.User) -> Iterator[Attributes]:
    account = _account(wanted.name)
    if account is not None:
        space, name = account
        yield Attributes(
            user, "impersonate", "", "v1", "serviceaccounts", namespace=space, name=name
        )
    else:
        yield Attributes(user, "impersonate", "", "v1", "users", name=wanted.name)
    for group in wanted.groups:
        yield Attributes(user, "impersonate", "", "v1", "groups", name=group)
    for key, values in wanted.extra:
        for value in values:
            yield Attributes(
                user, "impersonate", _AUTHENTICATION, "v1", "userextras", key, name=value
            )
    if wanted.uid:
        yield Attributes(user, "impersonate", _AUTHENTICATION, "v1", "uids", name=wanted.uid)


def _completed(wanted: identity.User) -> identity.User:
    """With the groups that whoever it is has without being told."""
    groups = wanted.groups
    account = _account(wanted.name)
    if account is not None and not groups:
        groups = identity.service_account_groups(account[0])
    if wanted.name == identity.ANONYMOUS.name:
        if identity.UNAUTHENTICATED not in groups:
            groups = (*groups, identity.UNAUTHENTICATED)
    elif identity.AUTHENTICATED not in groups and identity.UNAUTHENTICATED not in groups:
        groups = (*groups, identity.AUTHENTICATED)
    return identity.User(wanted.name, groups, wanted.uid, wanted.extra)


def _account(name: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user name is."""
    if not name.startswith(_ACCOUNT):
        return None
    namespace, colon, account = name[len(_ACCOUNT) :].partition(":")
    return (namespace, account) if colon and namespace and account else None
