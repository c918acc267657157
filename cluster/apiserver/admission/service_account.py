"""ServiceAccount: every pod runs as an account that is there, and finds its token where clients
look for it.

Source: k8s.io/kubernetes plugin/pkg/admission/serviceaccount. What of an account
concerns its pods is read once for each state of it.
"""

import asyncio
from random import Random
from typing import Any, ClassVar, Final

from cluster.api import errors, objectmeta, objects
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry

DEFAULT: Final = "default"
MOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX: Final = "kube-api-access-"
ENFORCE: Final = "kubernetes.io/enforce-mountable-secrets"
MIRROR: Final = "kubernetes.io/config.mirror"
TOKEN_SECONDS: Final = 3607
"""An hour, and seven seconds by which the token is known for a kubelet's (see tokens.claims)."""
_LOOKS: Final = 10
_PAUSE: Final = 0.1
_REMEMBERED: Final = 4096


def _volume(name: str) -> dict[str, Any]:
    """A new one each time: what comes after may change it in place."""
    namespace = {
        "path": "namespace",
        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
    }
    authority = {
        "name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}],
    }  # fmt: skip
    sources = [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": authority},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}


class _Account:
    """What of an account concerns its pods."""

    __slots__ = ("automounts", "enforces", "entry", "name", "pull_secrets", "secrets", "volume")

    def __init__(self, entry: Entry, random: Random) -> None:
        found = entry.document()
        self.entry = entry
        # Drawn once: pods of one template stay alike, and what is known of one is known of all.
        self.volume = objectmeta.generated_name(VOLUME_PREFIX, random)
        self.name = objects.name(found)
        self.automounts = found.get("automountServiceAccountToken") is not False
        self.enforces = objects.annotations(found).get(ENFORCE, "").lower() in ("true", "t", "1")
        self.pull_secrets = found.get("imagePullSecrets") or []
        self.secrets = [each.get("name") for each in found.get("secrets") or ()]


class ServiceAccount(Plugin):
    """Gives pods an account, its pull secrets and its token."""

    name: ClassVar[str] = "ServiceAccount"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}

    def mutate(self, request: Request) -> None:
        """Fill in spec.serviceAccountName, imagePullSecrets, the volume and its mounts.

        errors.Forbidden; outside.Ask while an account is on its way.
        """
        if request.act is not Act.CREATE or request.subresource:
            return
        pod = request.object
        spec = pod.setdefault("spec", {})
        if MIRROR in objects.annotations(pod):
            self._check_mirror(request, spec)
            return
        said = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = said
        account = self._account(request, said)
        automounts = spec.get("automountServiceAccountToken")
        if account.automounts if automounts is None else automounts:
            _mount(account, spec)
        if not spec.get("imagePullSecrets") and account.pull_secrets:
            spec["imagePullSecrets"] = [dict(each) for each in account.pull_secrets]

    def validate(self, request: Request) -> None:
        """Refuse secrets that the account does not list, where it wants that. errors.Forbidden."""
        if request.act is not Act.CREATE or request.subresource:
            return
        spec = objects.spec(request.object)
        name = spec.get("serviceAccountName")
        if not name or MIRROR in objects.annotations(request.object):
            return
        account = self._account(request, name)
        if account.enforces:
            why = _unlisted(account, spec)
            if why:
                raise _forbidden(request, why)

    def _account(self, request: Request, name: str) -> _Account:
        namespace = request.call.namespace
        entry = request.cache.get("serviceaccounts", namespace, name)
        if entry is None:
            raise self._missing(request, namespace, name)
        known = self._accounts.get(entry.key)
        if known is None or known.entry is not entry:
            if len(self._accounts) >= _REMEMBERED:
                self._accounts.clear()
            known = self._accounts[entry.key] = _Account(entry, request.call.random)
        return known

    def _missing(self, request: Request, namespace: str, name: str) -> errors.Forbidden:
        """A new namespace's `default` is on its way: wait for it, as kube-apiserver does."""
        if name == DEFAULT:
            cache = request.cache
            request.call.answers.of(
                (self.name, namespace, name), lambda: _arrival(cache, namespace, name)
            )
        why = f'serviceaccount "{name}" not found'
        return _forbidden(request, f"error looking up service account {namespace}/{name}: {why}")

    def _check_mirror(self, request: Request, spec: dict[str, Any]) -> None:
        if spec.get("serviceAccountName"):
            raise _forbidden(request, "a mirror pod may not reference service accounts")
        for volume in spec.get("volumes") or ():
            if volume.get("secret") is not None:
                raise _forbidden(request, "a mirror pod may not reference secrets")
            for source in (volume.get("projected") or {}).get("sources") or ():
                if source.get("serviceAccountToken") is not None:
                    why = "a mirror pod may not use ServiceAccountToken volume projections"
                    raise _forbidden(request, why)


async def _arrival(cache: WatchCache, namespace: str, name: str) -> bool:
    """Whether the account is there within a second."""
    for _ in range(_LOOKS):
        if cache.get("serviceaccounts", namespace, name) is not None:
            return True
        await asyncio.sleep(_PAUSE)
    return False


def _mount(account: _Account, spec: dict[str, Any]) -> None:
    """The token, for each container that has nothing else at its place."""
    name, needed = "", False
    for volume in spec.get("volumes") or ():
        if (volume.get("name") or "").startswith(VOLUME_PREFIX):
            name = volume["name"]
    drawn = name or account.volume
    mount = {"name": drawn, "readOnly": True, "mountPath": MOUNT_PATH}
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or ():
            mounts = container.get("volumeMounts") or []
            if any(each.get("mountPath") == MOUNT_PATH for each in mounts):
                continue
            container["volumeMounts"] = [*mounts, dict(mount)]
            needed = True
    if needed and not name:
        spec["volumes"] = [*(spec.get("volumes") or ()), _volume(drawn)]


def _unlisted(account: _Account, spec: dict[str, Any]) -> str:
    """What the pod uses that its account does not list, as a sentence; "" where all is listed."""
    unlisted = f"is not allowed because service account {account.name} does not reference that"
    for volume in spec.get("volumes") or ():
        secret = (volume.get("secret") or {}).get("secretName")
        if secret and secret not in account.secrets:
            return f'volume with secret.secretName="{secret}" {unlisted} secret'
    for kind, label in (
        ("initContainers", "init container"), ("containers", "container"),
        ("ephemeralContainers", "ephemeral container"),
    ):  # fmt: skip
        for container in spec.get(kind) or ():
            for variable in container.get("env") or ():
                reference = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
                secret = reference.get("name")
                if secret and secret not in account.secrets:
                    return (
                        f"{label} {container.get('name')} with envVar {variable.get('name')}"
                        f' referencing secret.secretName="{secret}" {unlisted} secret'
                    )
    listed = [each.get("name") for each in account.pull_secrets]
    for index, each in enumerate(spec.get("imagePullSecrets") or ()):
        if each.get("name") not in listed:
            named = f'imagePullSecrets[{index}].name="{each.get("name")}"'
            return f"{named} {unlisted} imagePullSecret"
    return ""


def _forbidden(request: Request, why: str) -> errors.Forbidden:
    return errors.forbidden("pods", objects.name(request.object), why)
