"""The environment of a container, of all that it may come from. Pure.

Source: makeEnvironmentVariables of pkg/kubelet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.kubelet import downward
from cluster.kubelet.environment import expansion
from cluster.kubelet.volumes import contents
from cluster.kubelet.volumes.references import CONFIG_MAPS, SECRETS, Known, Reference


class Wrong(Exception):
    """The container cannot be configured: CreateContainerConfigError; the text is the kubelet's."""


Reader = Callable[[str, str], bytes | None]
"""The content of a file of a volume, by the volume's name and the path in it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What variables come from. `services` are those of `services.variables`."""

    known: Known = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    node: downward.Node = downward.NOWHERE
    read: Reader | None = None
    strict_names: bool = False
    """Whether names are held to the rule of before 1.30 (RelaxedEnvironmentVariableValidation)."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Keys of an object that can be no names of variables: (ConfigMap or Secret, its key, keys)."""

    kind: str
    key: str
    names: tuple[str, ...]

    @property
    def message(self) -> str:
        """The message of the event InvalidEnvironmentVariableNames."""
        return (
            f"Keys [{', '.join(self.names)}] from the EnvFrom {self.kind} {self.key} were skipped "
            "since they are considered invalid environment variable names."
        )


def make(
    pod: Object, container: Mapping[str, Any], sources: Sources
) -> tuple[dict[str, str], list[Skipped]]:
    """The variables, services' last, and what was left out. Wrong."""
    return _Making(pod, container, sources).made()


class _Making:
    def __init__(self, pod: Object, container: Mapping[str, Any], sources: Sources) -> None:
        self._pod = pod
        self._container = container
        self._sources = sources
        self._found: dict[str, str] = {}
        self._skipped: list[Skipped] = []

    def made(self) -> tuple[dict[str, str], list[Skipped]]:
        for source in self._container.get("envFrom") or ():
            self._from(source)
        for variable in self._container.get("env") or ():
            value = self._value(variable)
            if value is not None:
                self._found[variable["name"]] = value
        return {**self._sources.services, **self._found}, self._skipped

    def _from(self, source: Mapping[str, Any]) -> None:
        secret = "secretRef" in source
        asked = source.get("secretRef" if secret else "configMapRef") or {}
        obj = self._object(secret, asked)
        if obj is None:
            return
        prefix = source.get("prefix") or ""
        wrong = []
        for key, value in sorted(contents.values(obj, secret=secret).items()):
            name = prefix + key
            if _valid(name, strict=self._sources.strict_names):
                self._found[name] = value.decode(errors="replace")
            else:
                wrong.append(name)
        if wrong:
            kind = "secret" if secret else "configMap"
            title = f"{objects.namespace(self._pod)}/{asked.get('name')}"
            self._skipped.append(Skipped(kind, title, tuple(wrong)))

    def _value(self, variable: Mapping[str, Any]) -> str | None:
        if variable.get("value"):
            return expansion.expand(variable["value"], self._found, self._sources.services)
        source = variable.get("valueFrom")
        if not source:
            return ""
        if "fieldRef" in source:
            return self._field(source["fieldRef"].get("fieldPath") or "")
        if "resourceFieldRef" in source:
            try:
                return downward.resource(
                    self._pod, source["resourceFieldRef"], self._container, self._sources.node
                )
            except ValueError as error:
                raise Wrong(str(error)) from error
        if "fileKeyRef" in source:
            return self._of_file(source["fileKeyRef"])
        secret = "secretKeyRef" in source
        return self._key(secret, source.get("secretKeyRef" if secret else "configMapKeyRef") or {})

    def _field(self, path: str) -> str:
        found = downward.field(self._pod, path, self._sources.node)
        if found is None:
            raise Wrong(f"unsupported fieldPath: {path}")
        return found

    def _key(self, secret: bool, asked: Mapping[str, Any]) -> str | None:
        obj = self._object(secret, asked)
        if obj is None:
            return None
        # Binary data of a ConfigMap is for files alone.
        held = obj if secret else {"data": obj.get("data")}
        value = contents.values(held, secret=secret).get(asked.get("key") or "")
        if value is not None:
            return value.decode(errors="replace")
        if asked.get("optional"):
            return None
        kind = "Secret" if secret else "ConfigMap"
        title = f"{objects.namespace(self._pod)}/{asked.get('name')}"
        raise Wrong(f"couldn't find key {asked.get('key')} in {kind} {title}")

    def _object(self, secret: bool, asked: Mapping[str, Any]) -> Object | None:
        """The object that is asked for; None where it is optional and not there."""
        reference = Reference(
            SECRETS if secret else CONFIG_MAPS,
            objects.namespace(self._pod),
            asked.get("name") or "",
        )
        found = self._sources.known.get(reference)
        if found is None and not asked.get("optional"):
            raise Wrong(reference.missing)
        return found

    def _of_file(self, asked: Mapping[str, Any]) -> str | None:
        volume, path, key = (asked.get(one) or "" for one in ("volumeName", "path", "key"))
        data = self._sources.read(volume, path) if self._sources.read else None
        if data is None:
            if asked.get("optional"):
                return None
            raise Wrong(f"couldn't parse env file: file {path} in volume {volume} not found")
        found = env_file(data.decode(errors="replace"))
        if key not in found and not asked.get("optional"):
            raise Wrong(f"environment variable key {key} not found in file {path}")
        return found.get(key)


_QUOTES: Final = "'\""


def env_file(text: str) -> dict[str, str]:
    """`NAME=value` lines of a file; quotes around a value go, lines with # are none."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] in _QUOTES and value[-1] == value[0]:
            value = value[1:-1]
        found[name.strip()] = value
    return found


def _valid(name: str, *, strict: bool) -> bool:
    if strict:
        return (
            bool(name)
            and not name[0].isdigit()
            and name.isascii()
            and all(letter.isalnum() or letter in "-._" for letter in name)
            and name not in (".", "..")
            and not name.startswith("..")
        )
    return bool(name) and "=" not in name and name.isascii() and name.isprintable()
