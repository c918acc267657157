"""A pod's volumes (ValidateVolumes in core validation)."""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import causes, metadata, quantity
from cluster.api.objects import Object
from cluster.api.validation import values
from cluster.api.validation.values import Causes

_HOST_PATH_TYPES: Final = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate",
    "Socket",
)  # fmt: skip
_MODE: Final = "must be a number between 0 and 0777 (octal), both inclusive"


def volumes(path: str, listed: list[Object]) -> Causes:
    """What is wrong with the volumes of a pod."""
    found: Causes = []
    seen: dict[str, None] = {}
    for index, volume in enumerate(listed):
        at, name = f"{path}[{index}]", volume.get("name") or ""
        found += _sources(at, volume)
        if not name:
            found.append(causes.required(f"{at}.name"))
        else:
            found += values.complaints(f"{at}.name", name, metadata.dns1123_label(name))
            if name in seen:
                found.append(causes.duplicate(f"{at}.name", name))
            seen[name] = None
    return found


def _sources(path: str, volume: Object) -> Causes:
    named = [name for name in volume if name != "name"]
    if not named:
        return [causes.required(path, "must specify a volume type")]
    found: Causes = [
        causes.forbidden(f"{path}.{name}", "may not specify more than 1 volume type")
        for name in named[1:]
    ]
    check = _BY_SOURCE.get(named[0])
    return found + (check(f"{path}.{named[0]}", volume[named[0]]) if check else [])


def _config_map(path: str, source: Object) -> Causes:
    found = [] if source.get("name") else [causes.required(f"{path}.name")]
    return found + _mode(path, source) + _items(path, source)


def _secret(path: str, source: Object) -> Causes:
    found = [] if source.get("secretName") else [causes.required(f"{path}.secretName")]
    return found + _mode(path, source) + _items(path, source)


def host_path(path: str, source: Object) -> Causes:
    """A place on the node."""
    if not source.get("path"):
        return [causes.required(f"{path}.path")]
    found = no_backsteps(f"{path}.path", source["path"])
    kind = source.get("type", "")
    if kind not in _HOST_PATH_TYPES:
        found.append(causes.not_supported(f"{path}.type", kind, _HOST_PATH_TYPES))
    return found


def _empty_dir(path: str, source: Object) -> Causes:
    limit = source.get("sizeLimit")
    if limit is not None and quantity.parse(limit) < 0:
        detail = "SizeLimit field must be a valid resource quantity"
        return [causes.forbidden(f"{path}.sizeLimit", detail)]
    return []


def _claim(path: str, source: Object) -> Causes:
    return [] if source.get("claimName") else [causes.required(f"{path}.claimName")]


def _downward(path: str, source: Object) -> Causes:
    found = _mode(path, source)
    for index, item in enumerate(source.get("items") or ()):
        at = f"{path}.items[{index}]"
        found += _item_path(at, item)
        if not item.get("fieldRef") and not item.get("resourceFieldRef"):
            detail = "one of fieldRef and resourceFieldRef is required"
            found.append(causes.required(f"{at}.fieldRef", detail))
    return found


def _projected(path: str, source: Object) -> Causes:
    found = _mode(path, source)
    for index, projection in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{index}]"
        for name, inner in projection.items():
            if name in ("configMap", "secret"):
                if not inner.get("name"):
                    found.append(causes.required(f"{at}.{name}.name"))
                found += _items(f"{at}.{name}", inner)
            elif name == "serviceAccountToken":
                found += _token(f"{at}.{name}", inner)
    return found


def _token(path: str, inner: Object) -> Causes:
    found: Causes = []
    seconds = inner.get("expirationSeconds", 3600)
    if seconds < 600:
        detail = "may not specify a duration less than 10 minutes"
        found.append(causes.invalid(f"{path}.expirationSeconds", seconds, detail))
    if not inner.get("path"):
        found.append(causes.required(f"{path}.path"))
    return found


def _mode(path: str, source: Object) -> Causes:
    mode = source.get("defaultMode")
    if mode is not None and not 0 <= mode <= 0o777:
        return [causes.invalid(f"{path}.defaultMode", mode, _MODE)]
    return []


def _items(path: str, source: Object) -> Causes:
    found: Causes = []
    for index, item in enumerate(source.get("items") or ()):
        at = f"{path}.items[{index}]"
        if not item.get("key"):
            found.append(causes.required(f"{at}.key"))
        found += _item_path(at, item)
        mode = item.get("mode")
        if mode is not None and not 0 <= mode <= 0o777:
            found.append(causes.invalid(f"{at}.mode", mode, _MODE))
    return found


def _item_path(path: str, item: Object) -> Causes:
    if not item.get("path"):
        return [causes.required(f"{path}.path")]
    return local_path(f"{path}.path", item["path"])


def local_path(path: str, text: str) -> Causes:
    """A relative path without steps back."""
    if text.startswith("/"):
        return [causes.invalid(path, text, "must be a relative path")]
    return no_backsteps(path, text)


def no_backsteps(path: str, text: str) -> Causes:
    """A path that does not go up."""
    if ".." in text.split("/"):
        return [causes.invalid(path, text, "must not contain '..'")]
    return []


_BY_SOURCE: Final[Mapping[str, Any]] = {
    "configMap": _config_map,
    "downwardAPI": _downward,
    "emptyDir": _empty_dir,
    "hostPath": host_path,
    "persistentVolumeClaim": _claim,
    "projected": _projected,
    "secret": _secret,
}
