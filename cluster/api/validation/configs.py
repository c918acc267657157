"""ConfigMap and Secret: their keys, their size, and what immutable means (core validation)."""

import base64
import json
from collections.abc import Mapping
from typing import Final

from cluster.api import causes, imagescripts, objects
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes

LARGEST: Final = 1024 * 1024  # bytes of all values together: MaxSecretSize
_SHOWN: Final = 80
_FROZEN: Final = "field is immutable when `immutable` is set"
_ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
# The keys that a type must have; of several in a tuple, one is enough.
_REQUIRED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "kubernetes.io/basic-auth": (("username", "password"),),
    "kubernetes.io/dockercfg": ((".dockercfg",),),
    "kubernetes.io/dockerconfigjson": ((".dockerconfigjson",),),
    "kubernetes.io/ssh-auth": (("ssh-privatekey",),),
    "kubernetes.io/tls": (("tls.crt",), ("tls.key",)),
}
_JSON_KEYS: Final = (".dockercfg", ".dockerconfigjson")


def config_map(obj: Object) -> Causes:
    """What is wrong with a ConfigMap, new or changed."""
    found: Causes = []
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    for key in data:
        found += values.complaints(f"data[{key}]", key, values.config_key(key))
        if key in binary:
            detail = "duplicate of key present in binaryData"
            found.append(causes.invalid(f"data[{key}]", key, detail))
    for key in binary:
        found += values.complaints(f"binaryData[{key}]", key, values.config_key(key))
    size = sum(_bytes(text) for text in data.values())
    size += sum(_decoded(text) for text in binary.values())
    if size > LARGEST:
        found.append(causes.too_long("[]", LARGEST))
    if objects.name(obj) == imagescripts.CONFIG_MAP and not found:
        found += _image_scripts(obj)
    return found


def _image_scripts(obj: Object) -> Causes:
    """What nodes could not read of the ConfigMap that says what images do. It is kubemu's own, so
    whoever writes it is told at once.
    """
    if objects.namespace(obj) != imagescripts.NAMESPACE:
        return []
    found: Causes = []
    for key, text in (obj.get("data") or {}).items():
        try:
            imagescripts.parse(text)
        except ValueError as error:
            found.append(causes.invalid(f"data[{key}]", text[:_SHOWN], str(error)))
    return found


def config_map_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a ConfigMap."""
    return _frozen(old, new, ("data", "binaryData")) + config_map(new)


def secret(obj: Object) -> Causes:
    """What is wrong with a Secret, new or changed."""
    found: Causes = []
    data = obj.get("data") or {}
    for key in data:
        found += values.complaints(f"data[{key}]", key, values.config_key(key))
    if sum(_decoded(text) for text in data.values()) > LARGEST:
        found.append(causes.too_long("data", LARGEST))
    kind = obj.get("type") or ""
    for choice in _REQUIRED.get(kind, ()):
        if not any(key in data for key in choice):
            found += [causes.required(f"data[{key}]") for key in choice]
    for key in _JSON_KEYS:
        if (key,) in _REQUIRED.get(kind, ()) and key in data and not _is_json(data[key]):
            shown, detail = "<secret contents redacted>", "invalid character in JSON"
            found.append(causes.invalid(f"data[{key}]", shown, detail))
    if kind == "kubernetes.io/service-account-token":
        annotations = obj["metadata"].get("annotations") or {}
        if not annotations.get(_ACCOUNT_NAME):
            found.append(causes.required(f"metadata.annotations[{_ACCOUNT_NAME}]"))
    return found


def secret_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a Secret."""
    found = values.immutable("type", old.get("type"), new.get("type"))
    return found + _frozen(old, new, ("data",)) + secret(new)


def _frozen(old: Object, new: Object, fields: tuple[str, ...]) -> Causes:
    if not old.get("immutable"):
        return []
    found: Causes = []
    if not new.get("immutable"):
        found.append(causes.forbidden("immutable", _FROZEN))
    changed = [field for field in fields if (old.get(field) or {}) != (new.get(field) or {})]
    return found + [causes.forbidden(field, _FROZEN) for field in changed]


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _decoded(text: str) -> int:
    """How many bytes a base64 text stands for."""
    return len(text) // 4 * 3 - text[-2:].count("=")


def _is_json(text: str) -> bool:
    try:
        json.loads(base64.b64decode(text))
    except (ValueError, RecursionError):
        return False
    return True


NEW: Final[family.Creates] = {
    "configmaps": config_map,
    "secrets": secret,
}
UPDATE: Final[family.Updates] = {
    "configmaps": config_map_update,
    "secrets": secret_update,
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
