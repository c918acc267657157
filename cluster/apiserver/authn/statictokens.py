"""Static tokens: kube-apiserver's --token-auth-file."""

import csv
import hmac
from collections.abc import Mapping

from cluster.api import identity


class StaticTokens:
    """Knows users by token (token -> user)."""

    def __init__(self, tokens: Mapping[str, identity.User]) -> None:
        self._tokens = {
            token.encode(): identity.authenticated(user) for token, user in tokens.items()
        }

    def user(self, token: str) -> identity.User | None:
        """Whose token it is; None: nobody's."""
        said = token.encode(errors="surrogateescape")  # a header may hold any bytes
        for known, user in self._tokens.items():
            if hmac.compare_digest(known, said):
                return user
        return None


def read_tokens(text: str) -> dict[str, identity.User]:
    """The static tokens of a file: lines of `token,user,uid` or `token,user,uid,"group,group"`.

    The format of kube-apiserver's --token-auth-file. ValueError that names the line.
    """
    found: dict[str, identity.User] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) < 3:
            raise ValueError(f"line {number}: a token line is token,user,uid and maybe groups")
        token, name, uid, *rest = (field.strip() for field in row)
        if not token or not name:
            raise ValueError(f"line {number}: token and user must not be empty")
        groups = tuple(group for group in (rest[0].split(",") if rest else ()) if group)
        found[token] = identity.User(name, groups, uid)
    return found
