"""Named formats: `format.dns1123Label().validate(self.name)` gives what is wrong, or none."""

from collections.abc import Callable, Sequence
from typing import Final

from cluster.api import metadata
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare
from cluster.api.cel.urls import URL
from cluster.api.cel.values import NONE, Opaque, Optional

Complaints = Sequence[str]


class Format(Opaque):
    """A format: what it is called and what it says of a text."""

    __slots__ = ("complaints", "name")
    kind = "kubernetes.NamedFormat"

    def __init__(self, name: str, complaints: Callable[[str], Complaints]) -> None:
        self.name = name
        self.complaints = complaints

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


def _prefix(complaints: Callable[[str], Complaints]) -> Callable[[str], Complaints]:
    """A name that something is appended to may end with a dash."""
    return lambda text: complaints(f"{text[:-1]}a" if len(text) > 1 and text[-1] == "-" else text)


def _uri(text: str) -> Complaints:
    try:
        URL(text)
    except EvaluationError as error:
        return [str(error).partition("string: ")[2]]
    return []


def _checked(name: str, said: str) -> Callable[[str], Complaints]:
    def complaints(text: str) -> Complaints:
        from cluster.api.crd import formats  # late: custom resources are built on expressions

        check = formats.check(name)
        return [] if check is None or check(text) else [said]

    return complaints


_FORMATS: Final[dict[str, Format]] = {
    name: Format(shown, complaints)
    for name, shown, complaints in (
        ("dns1123Label", "DNS1123Label", metadata.dns1123_label),
        ("dns1123Subdomain", "DNS1123Subdomain", metadata.dns1123_subdomain),
        ("dns1035Label", "DNS1035Label", metadata.dns1035_label),
        ("qualifiedName", "QualifiedName", metadata.qualified_name),
        ("dns1123LabelPrefix", "DNS1123LabelPrefix", _prefix(metadata.dns1123_label)),
        ("dns1123SubdomainPrefix", "DNS1123SubdomainPrefix", _prefix(metadata.dns1123_subdomain)),
        ("dns1035LabelPrefix", "DNS1035LabelPrefix", _prefix(metadata.dns1035_label)),
        ("labelValue", "LabelValue", metadata.label_value),
        ("uri", "URI", _uri),
        ("uuid", "uuid", _checked("uuid", "does not match the UUID format")),
        ("byte", "byte", _checked("byte", "invalid base64")),
        ("date", "date", _checked("date", "invalid date")),
        ("datetime", "datetime", _checked("datetime", "invalid datetime")),
    )
}


def _named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return NONE if found is None else Optional(found)


def _constant(value: Format) -> Callable[[], Format]:
    return lambda: value


def _validate(format: Format, text: str) -> Optional:
    found = list(format.complaints(text))
    return Optional(found) if found else NONE


def _cost(args: Sequence[object]) -> int:
    # Formats are patterns of some thirty to sixty characters.
    return (len(str(args[1])) // 10 + 1) * 15


def overloads() -> list[Overload]:
    """What the library declares."""
    return [
        declare("format.validate(string) -> optional(list(string))", _validate, _cost),
        declare("(string) -> optional(format)", _named, name="format.named"),
        *(
            declare("() -> format", _constant(value), name=f"format.{name}")
            for name, value in _FORMATS.items()
        ),
    ]
