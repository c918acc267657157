"""Who asks: the user that authentication found."""

from dataclasses import dataclass

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated user, as authentication.k8s.io UserInfo has it."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
