"""What crun and runc complain of, in the words that users of Kubernetes know: runc's. Pure."""

import re
from typing import Final

_ABSENT: Final = r"not found(?: in \$PATH)?(?:: No such file or directory)?$"
_CRUN: Final = (
    (re.compile(rf"^executable file `([^`]*/[^`]*)` {_ABSENT}"),
     r'exec: "\1": stat \1: no such file or directory'),
    (re.compile(rf"^executable file `(.*?)` {_ABSENT}"),
     r'exec: "\1": executable file not found in $PATH'),
    (re.compile(r"^(?:open executable|open) `?(.*?)`?: (?:Permission denied|permission denied)$"),
     r'exec: "\1": permission denied'),
)  # fmt: skip
_RUNC: Final = "unable to start container process: "
_PREFIXES: Final = ("runc run failed: ", "runc create failed: ", "exec failed: ")


def _cause(text: str) -> str:
    """What was wrong, without the words around it that both commands put there."""
    text = text.strip()
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    text = text.removeprefix(_RUNC)
    for pattern, words in _CRUN:
        found = pattern.match(text)
        if found:
            return found.expand(words)
    return text


def starting(text: str) -> str:
    """Why a container could not be started."""
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        f"runc create failed: {_RUNC}{_cause(text)}: unknown"
    )


def executing(text: str) -> str:
    """Why a command could not be run."""
    return (
        "failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: "
        f"{_RUNC}{_cause(text)}: unknown"
    )


def exit_code(text: str) -> int:
    """The exit code that a shell would give to a command that cannot be run."""
    return 126 if "permission denied" in text.lower() else 127
