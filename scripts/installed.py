"""Scripts are started by any Python: those whose packages it lacks go over to that of .venv, which
scripts/up and scripts/test make. Nothing but the standard library is imported here.
"""

import os
import re
import sys
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_NAMED = 3
_NOT_CARRIED_OUT = 3


def here() -> None:
    """Return where this Python has what kubemu needs; else start the script anew by another one,
    or leave with a sentence.
    """
    lacking = _lacking()
    if not lacking:
        return
    venv = _ROOT / ".venv"
    python = venv / "bin" / "python"
    if python.exists() and Path(sys.prefix).resolve() != venv.resolve():
        os.execv(python, [str(python), *sys.argv])
    names = ", ".join(lacking[:_NAMED]) + (" and others" if len(lacking) > _NAMED else "")
    sys.stderr.write(
        f"Error: {sys.executable} lacks what kubemu needs ({names}). Run ./scripts/up in {_ROOT} "
        "once: it installs that into .venv, where this finds it.\n"
    )
    sys.exit(_NOT_CARRIED_OUT)


def _lacking() -> "list[str]":
    """The packages of pyproject.toml, but those for some machines only, that are not there."""
    if sys.version_info < (3, 11):  # noqa: UP036  (any Python starts a script)
        return ["Python 3.11"]
    import tomllib

    with (_ROOT / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    names = [re.split(r"[<>=!~ ]", one)[0] for one in wanted if ";" not in one]
    return [name for name in names if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
