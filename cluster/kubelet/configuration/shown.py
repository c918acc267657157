"""The settings of a running kubelet as KubeletConfiguration. Pure."""

from collections.abc import Callable
from typing import Any

from cluster.api import durations
from cluster.kubelet.config import Config
from cluster.kubelet.configuration import table
from cluster.kubelet.configuration.reading import API_VERSION, KIND


def configuration(config: Config) -> dict[str, Any]:
    """Every field that is a setting here, as it is now."""
    found: dict[str, Any] = {"kind": KIND, "apiVersion": API_VERSION}
    for name, setting in table.SETTINGS.items():
        if hasattr(config, setting.field):
            found[name] = _value(setting.read, getattr(config, setting.field))
    found["registerNode"] = True
    return found


def _value(read: Callable[[Any], Any], value: Any) -> Any:
    if read is table.duration:
        return durations.format(value)
    if read is table.crash_loop:
        return {"maxContainerRestartPeriod": durations.format(value)}
    if read is table.taints:
        return [
            {"key": one.key, "effect": one.effect} | ({"value": one.value} if one.value else {})
            for one in value
        ]
    if read is table.headers:
        return {key: [each] for key, each in value.items()}
    if read is table.mapping:
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
