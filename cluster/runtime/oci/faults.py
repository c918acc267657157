"""What crun and runc complain of, in the words that users of Kubernetes know: runc's. Pure."""

import re
from typing import Final

_ABSENT: Final = r"not found(?: in \$PATH)?(?:: No such file or directory)?$"
_CRUN: Final = (
    (re.compile(rf"^executable file `([^`]*/[^`]*)` {_ABSENT}"),
     r'exec: "\1": stat \1: no such file or directory'),
    (re.compile(rf"^executable file `(.*?)` {_ABSENT}"),
     r'exec: "\1": executable file not found in $PATH'),
    (re.compile(r"^open `?(.*?)`?: (?:Permission denied|permission denied)$"),
     r'exec: "\1": permission denied'),
    (re.compile(r"^chdir `(.*?)`: Not a directory$"),
     r"error during container init: mkdir \1: not a directory"),
    (re.compile(r"^chdir `(.*?)`: Permission denied$"),
     r'chdir to cwd ("\1") set in config.json failed: permission denied'),
)  # fmt: skip
_UNOPENED: Final = re.compile(r"^open executable: (.*)$")
"""crun does not say which one. What is no file it says is not permitted, as runc says of it."""
_REASONS: Final = {
    "Permission denied": 'exec: "{0}": permission denied',
    "Operation not permitted": 'exec: "{0}": permission denied',
    "Not a directory": 'exec: "{0}": stat {0}: not a directory',
    "No such file or directory": 'exec: "{0}": stat {0}: no such file or directory',
}
_RUNC: Final = "unable to start container process: "
_PREFIXES: Final = ("runc run failed: ", "runc create failed: ", "exec failed: ")


def _cause(text: str, program: str) -> str:
    """What was wrong, without the words around it that both commands put there."""
    text = text.strip()
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    text = text.removeprefix(_RUNC)
    unopened = _UNOPENED.match(text)
    if unopened and unopened[1] in _REASONS:
        return _REASONS[unopened[1]].replace("{0}", program)
    for pattern, words in _CRUN:
        found = pattern.match(text)
        if found:
            return found.expand(words)
    return text


def starting(text: str, program: str = "") -> str:
    """Why a container could not be started, whose command line begins with `program`."""
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        f"runc create failed: {_RUNC}{_cause(text, program)}: unknown"
    )


def executing(text: str, program: str = "") -> str:
    """Why a command could not be run, which begins with `program`."""
    return (
        "failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: "
        f"{_RUNC}{_cause(text, program)}: unknown"
    )


def exit_code(text: str) -> int:
    """The exit code that a shell would give to a command that cannot be run."""
    said = text.lower()
    return 126 if "permission denied" in said or "not permitted" in said else 127
