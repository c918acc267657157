"""What form of answer a client accepts. Pure.

Forms: the object as JSON, YAML or protobuf, a Table, or PartialObjectMetadata, asked for by media
type parameters (`application/json;as=Table;v=v1;g=meta.k8s.io`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cluster.api import errors
from cluster.api.protobuf import messages

As = Literal["", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"]

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = messages.MEDIA_TYPE
_TYPES = {
    "": JSON, "*/*": JSON, "application/*": JSON, JSON: JSON,
    YAML: YAML, "application/x-yaml": YAML, PROTOBUF: PROTOBUF,
}  # fmt: skip
_FORMS: tuple[As, ...] = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_META_VERSIONS = ("v1", "v1beta1")


@dataclass(frozen=True, slots=True)
class Form:
    """The form of an answer. `version` is that of meta.k8s.io where `shape` is of that group."""

    media: str = JSON
    shape: As = ""
    version: str = ""

    @property
    def protobuf(self) -> bool:
        """Whether objects go out as protobuf messages."""
        return self.media == PROTOBUF

    @property
    def plain(self) -> bool:
        """Whether stored bytes go out as they are."""
        return not self.shape and self.media == JSON


PLAIN = Form()
"""Objects as they are, in JSON; what answers that are no objects go by."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One media range of an Accept header: its type, and parameters in lower-case names."""

    media: str
    parameters: dict[str, str]


PLAIN = Form()


def clauses(accept: str) -> list[Clause]:
    """The media ranges of an Accept header, the preferred ones first."""
    found = list(_clauses(accept))
    return sorted(found, key=lambda clause: -_quality(clause.parameters.get("q", "1")))


@lru_cache(256)
def form(accept: str, *, protobuf: bool = False) -> Form:
    """The first form in an Accept header that can be given. errors.NotAcceptable.

    `protobuf`: whether the objects have messages; their metadata always does, a Table never.
    """
    if accept in ("", JSON, "*/*"):
        return PLAIN
    for clause in clauses(accept):
        media = _TYPES.get(clause.media)
        if media is not None:
            found = _of_clause(clause, media, protobuf=protobuf)
            if found is not None:
                return found
    raise not_acceptable((JSON, YAML, PROTOBUF) if protobuf else (JSON, YAML))


def not_acceptable(accepted: Iterable[str]) -> errors.NotAcceptable:
    """Nothing that the client takes can be given."""
    return errors.NotAcceptable(
        f"only the following media types are accepted: {', '.join(accepted)}"
    )


def media_of_status(accept: str) -> str:
    """The media type of an error's Status: JSON where nothing better can be agreed on."""
    try:
        return form(accept, protobuf=True).media
    except errors.NotAcceptable:
        return JSON


def _of_clause(clause: Clause, media: str, *, protobuf: bool) -> Form | None:
    shape = clause.parameters.get("as", "")
    if not shape:
        return Form(media) if media != PROTOBUF or protobuf else None
    version = clause.parameters.get("v", "")
    if clause.parameters.get("g") == "meta.k8s.io" and version in _META_VERSIONS:
        for known in _FORMS:
            if shape == known and (media != PROTOBUF or known != "Table"):
                return Form(media, known, version)
    return None


def _clauses(accept: str) -> Iterator[Clause]:
    for text in accept.split(","):
        media, *pairs = (part.strip() for part in text.split(";"))
        parameters = {}
        for pair in pairs:
            name, _, value = pair.partition("=")
            parameters[name.strip().lower()] = value.strip().strip('"')
        yield Clause(media.lower(), parameters)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
