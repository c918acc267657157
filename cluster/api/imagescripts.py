"""What containers of certain images do, said once for a cluster instead of on each pod. Pure.

    images:
    - image: shop/*
      ready-after: 10s
      ports: [8080]
      log: [starting, connected to the database]
      http:
        /healthz: ok
        /orders*: {status: 503, body: overloaded}

The keys are those of the `kubemu.dev/` annotations (docs/annotations.md), and become such: a pod's
own annotations win. A pattern is a shell's; it has to fit the image as the pod writes it, with or
without registry and tag. The first rule that fits is the one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

import msgspec

from cluster.api import imagereferences, objects

PREFIX: Final = "kubemu.dev/"
NAMESPACE: Final = "kube-system"
CONFIG_MAP: Final = "kubemu-images"
"""The ConfigMap whose values are such documents, for a cluster that runs."""
KEYS: Final = frozenset(
    ("run-for", "crash-after", "exit-code", "start-delay", "ready-after", "stop-after", "cpu",
     "memory", "ephemeral-storage", "ports", "log", "http")
)  # fmt: skip
MAX_TEXT: Final = 1 << 20
MAX_RULES: Final = 1000


@dataclass(frozen=True, slots=True)
class Rule:
    """What images that fit `pattern` do: values of annotations by key."""

    pattern: str
    told: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Scripts:
    """Rules, in their order."""

    rules: tuple[Rule, ...] = ()

    def told(self, image: str) -> Mapping[str, str]:
        """What an image does, by key; nothing where no rule fits."""
        return _told(self, image) if self.rules else {}

    def annotations(self, containers: Mapping[str, str]) -> dict[str, str]:
        """The annotations of a pod with these containers: image by name."""
        return {
            f"{PREFIX}{key}.{name}": value
            for name, image in containers.items()
            for key, value in self.told(image).items()
        }


NONE: Final = Scripts()


def of_pod(scripts: Scripts, pod: objects.Object) -> dict[str, str]:
    """The annotations that scripts give a pod, its init containers included."""
    if not scripts.rules:
        return {}
    spec = objects.spec(pod)
    both = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return scripts.annotations({one["name"]: one.get("image") or "" for one in both})


def under(own: Mapping[str, str], scripted: Mapping[str, str]) -> dict[str, str]:
    """The scripted annotations that a pod's `own` leave room for."""
    return {
        key: value
        for key, value in scripted.items()
        if key not in own and key.rpartition("/")[2].partition(".")[0] not in _keys(own)
    }


def _keys(own: Mapping[str, str]) -> set[str]:
    """What a pod says of all its containers."""
    return {key[len(PREFIX) :] for key in own if key.startswith(PREFIX)}


@lru_cache(4096)
def _told(scripts: Scripts, image: str) -> Mapping[str, str]:
    names = _names(image)
    for rule in scripts.rules:
        if any(fnmatchcase(name, rule.pattern) for name in names):
            return rule.told
    return {}


def _names(image: str) -> list[str]:
    """The ways of writing an image."""
    try:
        found = imagereferences.parse(image)
    except ValueError:
        return [image]
    paths = [found.path, found.path.removeprefix("library/"), found.repository]
    return [image, *paths, *(f"{path}:{found.tag}" for path in paths if found.tag)]


def parse(text: str) -> Scripts:
    """Read a document. ValueError, with a sentence."""
    # Imported here: few processes read any.
    import yaml

    if len(text) > MAX_TEXT:
        raise ValueError(f"it is longer than {MAX_TEXT} bytes")
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(f"it is no YAML: {str(error)[:300]}") from error
    if loaded is None:
        return Scripts()
    rules = loaded.get("images") if isinstance(loaded, dict) else None
    if not isinstance(rules, list) or set(loaded) != {"images"}:
        raise ValueError("it has to be a mapping with the one key `images`, a list")
    if len(rules) > MAX_RULES:
        raise ValueError(f"images: there are more than {MAX_RULES}")
    return Scripts(tuple(_rule(rule, number) for number, rule in enumerate(rules)))


def joined(all_of: list[Scripts]) -> Scripts:
    """The rules of several documents, one after the other."""
    return Scripts(tuple(rule for one in all_of for rule in one.rules))


def _rule(rule: Any, number: int) -> Rule:
    if not isinstance(rule, dict) or not isinstance(rule.get("image"), str) or not rule["image"]:
        raise ValueError(f"images[{number}]: it needs an image: a pattern such as shop/*")
    told = {}
    for key, value in rule.items():
        if key == "image":
            continue
        if key not in KEYS:
            known = ", ".join(sorted(KEYS))
            raise ValueError(f"images[{number}]: {str(key)[:40]!r} is none of image, {known}")
        told[key] = _text(value, f"images[{number}].{key}")
    return Rule(rule["image"], told)


def _text(value: Any, where: str) -> str:
    """A value as an annotation has it. ValueError."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        separator = "\n" if where.endswith(".log") else ","
        return separator.join(map(str, value))
    if isinstance(value, dict) and where.endswith(".http"):
        try:
            return msgspec.json.encode(value).decode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{where}: {error}") from error
    raise ValueError(f"{where}: it has to be a text, a number, or a list of them")
