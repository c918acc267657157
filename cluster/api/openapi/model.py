"""Operations, in no document's form yet."""

from dataclasses import dataclass

Gvk = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter; `type` is string, integer or boolean."""

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path.

    `body` and `answer` are names of definitions, "" for none. `action` is x-kubernetes-action.
    `strategic`: a patch may be a strategic merge patch, which custom resources do not know.
    `text`: the media types of an answer that is no object but a string, empty for one that is.
    """

    path: str
    method: str
    action: str
    id: str
    gvk: Gvk
    parameters: tuple[Parameter, ...]
    body: str = ""
    answer: str = ""
    strategic: bool = True
    text: tuple[str, ...] = ()


_CODES = {
    "delete": ("200", "202"), "patch": ("200", "201"), "post": ("200", "201", "202"),
    "put": ("200", "201"),
}  # fmt: skip
_WORDS = {"200": "OK", "201": "Created", "202": "Accepted"}
UNAUTHORIZED = {"401": {"description": "Unauthorized"}}
"""What every operation may answer besides."""


def successes(operation: Operation) -> dict[str, str]:
    """The codes of an operation's answers where all is well, and what they mean.

    A collection is deleted at once; what is no object is answered in one way.
    """
    plain = operation.text or operation.action == "deletecollection"
    codes = ("200",) if plain else _CODES.get(operation.method, ("200",))
    return {code: _WORDS[code] for code in codes}
