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
