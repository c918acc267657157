"""The front proxy: who is trusted to say in headers whom it asks for (--requestheader-*)."""

from dataclasses import dataclass
from urllib.parse import unquote

from multidict import MultiMapping

from cluster.api import identity


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """Which headers tell the user, and the common names of certificates that may send them.

    Empty `allowed_names` trusts every certificate that the authority signed: as kube-apiserver,
    though there the authority is one of its own (--requestheader-client-ca-file). kubemu has one
    authority for all clients, so `allowed_names` must not be empty. ValueError.
    """

    allowed_names: tuple[str, ...]
    username: tuple[str, ...] = ("X-Remote-User",)
    group: tuple[str, ...] = ("X-Remote-Group",)
    extra_prefix: tuple[str, ...] = ("X-Remote-Extra-",)

    def __post_init__(self) -> None:
        if not self.allowed_names:
            raise ValueError("requestheader-allowed-names must name the certificates of proxies")

    def user(self, common_name: str, headers: MultiMapping[str]) -> identity.User | None:
        """The user that a proxy of this certificate tells of; None where it tells of none."""
        if common_name not in self.allowed_names:
            return None
        names = [value for name in self.username for value in headers.getall(name, []) if value]
        if not names:
            return None
        groups = [value for name in self.group for value in headers.getall(name, [])]
        found = identity.User(names[0], tuple(groups), extra=self._extra(headers))
        return identity.authenticated(found)

    def _extra(self, headers: MultiMapping[str]) -> identity.Extra:
        found: dict[str, list[str]] = {}
        for name, value in headers.items():
            for prefix in self.extra_prefix:
                if name.lower().startswith(prefix.lower()):
                    key = unquote(name[len(prefix) :].lower())
                    found.setdefault(key, []).append(value)
        return tuple((key, tuple(values)) for key, values in found.items())
