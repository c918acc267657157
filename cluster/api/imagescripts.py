"""What containers of certain images do, said once for a cluster instead of on each pod. Pure.

    images:
    - image: shop/*
      ready-after: 10s
      ports: [8080]
      log: [starting, connected to the database]
      http:
        /healthz: ok
        /orders*: {status: 503, body: overloaded}

The keys are those of the `kubemu.dev/` annotations (docs/annotations.md): a pod's own annotations
win. A pattern is a shell's; it has to fit the image as the pod writes it, with or
without registry and tag. The first rule that fits is the one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final

import msgspec

from cluster.api import imagereferences, scriptvalues

PREFIX: Final = "images.kubemu.dev/"
"""Of annotations by which a kubelet tells its runtime what the image of a container does."""
NAMESPACE: Final = "kube-system"
CONFIG_MAP: Final = "kubemu-images"
"""The ConfigMap whose values are such documents, for a cluster that runs."""
MAX_RULES: Final = 1000
MAX_PATTERN: Final = 512
MAX_WILDCARDS: Final = 16
LARGEST: Final = 256 << 10
"""Letters of one value."""
_MOST_KNOWN: Final = 4096
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rule:
    """What images that fit `pattern` do: values of annotations by key."""

    pattern: str
    told: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Scripts:
    """Rules, in their order."""

    rules: tuple[Rule, ...] = ()

    _known: dict[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def told(self, image: str) -> Mapping[str, str]:
        """What an image does, by key; nothing where no rule fits. It is shared: read only."""
        if not self.rules:
            return _NOTHING
        found = self._known.get(image)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[image] = _told(self.rules, image)
        return found


NONE: Final = Scripts()


def _told(rules: Sequence[Rule], image: str) -> Mapping[str, str]:
    names = _names(image)
    for rule in rules:
        if any(fnmatchcase(name, rule.pattern) for name in names):
            return rule.told
    return _NOTHING


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
    from cluster.api import yaml_text

    loaded = yaml_text.read(text)
    if loaded is None:
        return NONE
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
    if len(rule["image"]) > MAX_PATTERN:
        raise ValueError(f"images[{number}].image: it is longer than {MAX_PATTERN} characters")
    if sum(letter in "*?[" for letter in rule["image"]) > MAX_WILDCARDS:
        raise ValueError(f"images[{number}].image: it has more than {MAX_WILDCARDS} wildcards")
    return Rule(
        rule["image"],
        {
            key: _value(key, value, f"images[{number}]")
            for key, value in rule.items()
            if key != "image"
        },
    )


def _value(key: Any, value: Any, where: str) -> str:
    """What a rule says of a key, as an annotation has it. ValueError."""
    reader = scriptvalues.READERS.get(key)
    if reader is None:
        known = ", ".join(sorted(scriptvalues.READERS))
        raise ValueError(f"{where}: {str(key)[:40]!r} is none of image, {known}")
    text = _text(value, key, f"{where}.{key}")
    try:
        reader(text)
    except ValueError as error:
        raise ValueError(f"{where}.{key}: {error}") from error
    return text


def _text(value: Any, key: str, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return _joined("\n" if key == "log" else ",", map(str, value), where)
    if isinstance(value, dict) and key == "http":
        return _json(value, where)
    raise ValueError(f"{where}: it has to be a text, a number, or a list of them")


def _joined(separator: str, parts: Iterable[str], where: str) -> str:
    """ValueError where an alias makes much of little."""
    found, size = [], 0
    for one in parts:
        size += len(one)
        if size > LARGEST:
            raise ValueError(f"{where}: it is longer than {LARGEST} bytes")
        found.append(one)
    return separator.join(found)


def _json(value: dict[Any, Any], where: str) -> str:
    """A mapping of texts, or of flat mappings, as JSON. ValueError."""
    parts = [
        one
        for told in value.values()
        for one in (told.values() if isinstance(told, dict) else (told,))
    ]
    if not all(isinstance(one, str | int) for one in parts):
        raise ValueError(f"{where}: an answer is a text, or has status, body and type")
    if sum(len(str(one)) for one in parts) > LARGEST:
        raise ValueError(f"{where}: it is longer than {LARGEST} bytes")
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error
