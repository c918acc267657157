"""Reads a KubeletConfiguration file with its drop-ins. Pure: it is given their texts."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.api import yaml_text
from cluster.kubelet.configuration import table
from cluster.kubelet.eviction import thresholds

API_VERSION: Final = "kubelet.config.k8s.io/v1beta1"
KIND: Final = "KubeletConfiguration"
GATES: Final = ("KubeletCrashLoopBackOffMax", "ReduceDefaultCrashLoopBackOffDecay")
"""Feature gates that change something here."""


class Unusable(ValueError):
    """The files cannot be used; the message has a line for each reason."""


@dataclass(slots=True)
class Read:
    """What files say: fields of a `Config`, values of flags of the command, and what to warn of."""

    fields: dict[str, Any] = field(default_factory=dict)
    command: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read(files: Sequence[tuple[str, str]]) -> Read:
    """Of names and texts, the file first, then its drop-ins in their order. Unusable."""
    merged: dict[str, Any] = {}
    for name, text in files:
        merged = _merged(merged, _document(name, text))
    for known in ("apiVersion", "kind"):
        merged.pop(known, None)
    found, wrong = Read(), []
    for name, value in merged.items():
        if value is None:
            continue
        try:
            _take(found, name, value)
        except table.Wrong as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        raise Unusable("\n".join(wrong))
    _finish(found, merged)
    return found


def _document(name: str, text: str) -> dict[str, Any]:
    try:
        found = yaml_text.read(text)
    except yaml_text.Unreadable as error:
        raise Unusable(f"{name}: {error}") from None
    if not isinstance(found, dict):
        raise Unusable(f"{name}: it holds no object")
    kind = (found.get("apiVersion"), found.get("kind"))
    if kind != (API_VERSION, KIND):
        raise Unusable(
            f'{name}: no kind "{kind[1] or ""}" is registered for version "{kind[0] or ""}": '
            f"apiVersion: {API_VERSION} and kind: {KIND} are wanted"
        )
    for key in found:
        if key not in ("apiVersion", "kind") and not _known(key):
            known = [*table.SETTINGS, *table.COMMAND, *table.WITHOUT_EFFECT]
            near = difflib.get_close_matches(key, known, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise Unusable(f'{name}: strict decoding error: unknown field "{key}"{hint}')
    return found


def _known(name: str) -> bool:
    return name in table.SETTINGS or name in table.COMMAND or name in table.WITHOUT_EFFECT


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Mappings are merged, all else is replaced."""
    found = dict(below)
    for name, value in above.items():
        old = found.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merged(old, value)  # noqa: PLW2901
        found[name] = value
    return found


def _take(found: Read, name: str, value: Any) -> None:
    setting = table.SETTINGS.get(name)
    if setting is not None:
        found.fields[setting.field] = setting.read(value)
    elif name in table.COMMAND:
        argument = table.COMMAND[name]
        found.command[argument.field] = argument.read(value)


def _finish(found: Read, merged: dict[str, Any]) -> None:
    """What fields mean together, and what has no effect though it was asked for."""
    if found.fields.pop("merge_default_eviction_settings", False):
        given = found.fields.get("eviction_hard", {})
        found.fields["eviction_hard"] = {**thresholds.DEFAULT_HARD, **given}
    gates = found.fields.pop("feature_gates", {})
    if gates.get("ReduceDefaultCrashLoopBackOffDecay"):
        found.fields["reduced_crash_loop"] = True
    idle = [name for name in merged if name in table.WITHOUT_EFFECT and _says(merged[name])]
    idle += [f"featureGates.{name}" for name in gates if name not in GATES]
    if idle:
        names = ", ".join(sorted(idle))
        found.warnings.append(f"these fields of {KIND} have no effect here: {names}")


def _says(value: Any) -> bool:
    """Whether a value says more than that nobody said anything (kubeadm writes zeros)."""
    return value not in (None, "", 0, False, "0s", [], {})
