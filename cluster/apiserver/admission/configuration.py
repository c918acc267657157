"""The file of --admission-control-config-file: what each plugin is told. Pure.

AdmissionConfiguration of apiserver.config.k8s.io; a plugin's part stands in `configuration` or in
another file, `path`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cluster.apiserver.admission import selection

KIND: Final = "AdmissionConfiguration"
GROUP: Final = "apiserver.config.k8s.io"


def read(document: Any, load: Callable[[str], Any]) -> Mapping[str, Any]:
    """Each plugin's document by the plugin's name. `load` gives that of a path. ValueError."""
    if not isinstance(document, dict):
        raise ValueError(f"want an {KIND}")  # noqa: TRY004
    kind, version = document.get("kind"), str(document.get("apiVersion") or "")
    if kind != KIND or version.partition("/")[0] != GROUP:
        raise ValueError(f"want an {KIND} of {GROUP}, not {kind} of {version or 'nothing'}")
    plugins = document.get("plugins") or []
    if not isinstance(plugins, list):
        raise ValueError("plugins is a list")  # noqa: TRY004
    return dict(_part(index, each, load) for index, each in enumerate(plugins))


def _part(index: int, part: Any, load: Callable[[str], Any]) -> tuple[str, Any]:
    if not isinstance(part, dict) or not isinstance(part.get("name"), str):
        raise ValueError(f"plugins[{index}].name is missing")  # noqa: TRY004
    name = part["name"]
    if name not in selection.ORDER:
        known = ", ".join(selection.ORDER)
        raise ValueError(f"plugins[{index}].name: {name} is unknown: known are {known}")
    found = part.get("configuration")
    if found is None and part.get("path"):
        found = load(str(part["path"]))
    if found is not None and not isinstance(found, dict):
        raise ValueError(f"plugins[{index}].configuration of {name} is no object")
    return name, found
