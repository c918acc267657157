"""The files that a volume shows: of ConfigMaps, Secrets, the pod itself, tokens. Pure.

Source: pkg/volume/{configmap,secret,downwardapi,projected}.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cluster.api import objects
from cluster.api.objects import Object
from cluster.kubelet import downward
from cluster.kubelet.volumes.references import BUNDLES, CONFIG_MAPS, SECRETS, Known, Reference

DEFAULT_MODE: Final = 0o644
PROTECTED_MODE: Final = 0o600
"""The mode of a token where a group or user of the pod's own is to read it."""
SOURCES: Final = ("configMap", "secret", "downwardAPI", "projected")


class Unready(Exception):
    """A volume cannot be set up now; the text is the kubelet's."""


class File(NamedTuple):
    """A file that a volume shows."""

    data: bytes
    mode: int
    owner: int = 0
    """Its user."""


class TokenWanted(NamedTuple):
    """A token that a volume shows: for whom, and for how many seconds."""

    audience: str
    seconds: int


Payload = dict[str, File]
Tokens = Callable[[TokenWanted], bytes]


class Facts(NamedTuple):
    """What files are made of."""

    pod: Object
    known: Known
    tokens: Tokens
    node: downward.Node = downward.NOWHERE

    def find(self, resource: str, name: str) -> Object | None:
        """An object of the pod's namespace."""
        return self.known.get(Reference(resource, objects.namespace(self.pod), name))


def payload(facts: Facts, volume: Mapping[str, Any]) -> Payload:
    """The files of a volume, by path. Unready."""
    if "projected" in volume:
        return _projected(facts, volume["projected"])
    kind = next(name for name in SOURCES if name in volume)
    return _source(facts, {kind: volume[kind]}, volume[kind].get("defaultMode", DEFAULT_MODE))


def wanted_tokens(volume: Mapping[str, Any]) -> list[TokenWanted]:
    """The tokens that a volume shows."""
    sources = (volume.get("projected") or {}).get("sources") or ()
    return [_token(one["serviceAccountToken"]) for one in sources if "serviceAccountToken" in one]


def _token(source: Mapping[str, Any]) -> TokenWanted:
    return TokenWanted(source.get("audience") or "", source.get("expirationSeconds") or 3600)


def _projected(facts: Facts, source: Mapping[str, Any]) -> Payload:
    mode = source.get("defaultMode", DEFAULT_MODE)
    found: Payload = {}
    wrong: list[str] = []
    for one in source.get("sources") or ():
        try:
            found |= _source(facts, one, mode)
        except Unready as error:
            wrong.append(str(error))
    if wrong:
        unlike = list(dict.fromkeys(wrong))
        raise Unready(unlike[0] if len(unlike) == 1 else f"[{', '.join(unlike)}]")
    return found


def _source(facts: Facts, one: Mapping[str, Any], mode: int) -> Payload:
    if "configMap" in one or "secret" in one:
        return _keys(facts, one, mode)
    if "downwardAPI" in one:
        return _fields(facts, one["downwardAPI"].get("items") or (), mode)
    if "serviceAccountToken" in one:
        asked = one["serviceAccountToken"]
        user = _user(facts.pod)
        context = objects.spec(facts.pod).get("securityContext") or {}
        owned = user is not None or context.get("fsGroup") is not None
        return {
            asked["path"]: File(
                facts.tokens(_token(asked)), PROTECTED_MODE if owned else mode, user or 0
            )
        }
    if "clusterTrustBundle" in one:
        return _bundle(one["clusterTrustBundle"], facts.known, mode)
    raise Unready(f"kubemu projects no {', '.join(sorted(one)) or 'empty source'} into volumes")


def _user(pod: Object) -> int | None:
    """Whose tokens are: the one user of all containers (FsUserFrom in pkg/util/securitycontext)."""
    context = objects.spec(pod).get("securityContext") or {}
    spec = objects.spec(pod)
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    users = [
        (one.get("securityContext") or {}).get("runAsUser", context.get("runAsUser"))
        for one in every
    ]
    return users[0] if users and all(user == users[0] for user in users) else None


def _keys(facts: Facts, one: Mapping[str, Any], mode: int) -> Payload:
    kind = "secret" if "secret" in one else "configMap"
    source = one[kind]
    name = source.get("secretName") or source.get("name") or ""
    resource = SECRETS if kind == "secret" else CONFIG_MAPS
    obj = facts.find(resource, name)
    optional = bool(source.get("optional"))
    if obj is None:
        if not optional:
            raise Unready(Reference(resource, "", name).missing)
        obj = {}
    data = values(obj, secret=kind == "secret")
    items: Sequence[Mapping[str, Any]] = source.get("items") or ()
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    found: Payload = {}
    for item in items:
        value = data.get(item["key"])
        if value is not None:
            found[item["path"]] = File(value, item.get("mode", mode))
        elif not optional:
            what = "secret" if kind == "secret" else "config"
            head = "" if kind == "secret" else "configmap "
            raise Unready(f"{head}references non-existent {what} key: {item['key']}")
    return found


def values(obj: Mapping[str, Any], *, secret: bool) -> dict[str, bytes]:
    """The values of a Secret or ConfigMap by key; the text of a ConfigMap first."""
    if secret:
        return {key: decoded(text) for key, text in (obj.get("data") or {}).items()}
    found = {key: text.encode() for key, text in (obj.get("data") or {}).items()}
    found |= {key: decoded(text) for key, text in (obj.get("binaryData") or {}).items()}
    return found


def decoded(text: str | None) -> bytes:
    """Of base64; b"" of what is none: the API server lets none through."""
    try:
        return base64.b64decode(text or "")
    except (binascii.Error, ValueError):
        return b""


def _fields(facts: Facts, items: Sequence[Mapping[str, Any]], mode: int) -> Payload:
    found: Payload = {}
    wrong: list[str] = []
    for item in items:
        try:
            if "fieldRef" in item:
                path = item["fieldRef"].get("fieldPath") or ""
                text = downward.field(facts.pod, path, facts.node)
                if text is None:
                    raise ValueError(f"unsupported fieldPath: {path}")
            else:
                asked = item.get("resourceFieldRef") or {}
                text = downward.resource(facts.pod, asked, {}, facts.node)
        except ValueError as error:
            wrong.append(str(error))
            continue
        found[item["path"]] = File(text.encode(), item.get("mode", mode))
    if wrong:
        raise Unready(wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")
    return found


def _bundle(source: Mapping[str, Any], known: Known, mode: int) -> Payload:
    name = source.get("name") or ""
    if not name:
        raise Unready("kubemu projects ClusterTrustBundles by name, not by signer")
    bundle = known.get(Reference(BUNDLES, "", name))
    if bundle is None:
        if not source.get("optional"):
            raise Unready(
                f'unable to fetch ClusterTrustBundle "{name}": clustertrustbundle "{name}" '
                "not found"
            )
        return {source["path"]: File(b"", mode)}
    text = objects.spec(bundle).get("trustBundle") or ""
    return {source["path"]: File(text.encode(), mode)}
