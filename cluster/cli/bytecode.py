"""Keeps the bytecode of our own modules where Python is told not to write any beside them.

Many container images set PYTHONDONTWRITEBYTECODE. Where our modules were not compiled when they
were installed (from a checkout, or with `pip install --no-compile`), each process would then
compile more than a thousand of them: more than half of what starting a cluster costs. The folder
is the user's cache; nothing is written beside sources, and of other packages nothing is kept.
"""

import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Final

import cluster

_PACKAGE: Final = Path(cluster.__file__).parent


@functools.cache
def keep() -> None:
    """Once: read and write our bytecode in the user's cache from now on, where it is needed.

    Not where Python keeps it by itself or where it lies beside our sources, and not where the
    user has chosen a place (PYTHONPYCACHEPREFIX). A folder that cannot be written is no failure:
    modules are then compiled as without this.
    """
    if not sys.dont_write_bytecode or sys.pycache_prefix is not None:
        return
    beside = importlib.util.cache_from_source(str(_PACKAGE / "__init__.py"))
    folder = _folder()
    if folder is None or Path(beside).exists():
        return
    install(_PACKAGE, folder)


def install(package: Path, folder: Path) -> None:
    """Let modules below `package` that are imported from now on have their bytecode in `folder`."""
    sys.path_hooks.insert(0, _hook(package, folder))
    for path in [path for path in sys.path_importer_cache if Path(path).is_relative_to(package)]:
        del sys.path_importer_cache[path]


def _folder() -> Path | None:
    """Where the user's caches are: as XDG has it, and as macOS has it."""
    told = os.environ.get("XDG_CACHE_HOME", "")
    if Path(told).is_absolute():
        return Path(told) / "kubemu" / "bytecode"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    caches = home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"
    return caches / "kubemu" / "bytecode"


def _hook(package: Path, folder: Path) -> Callable[[str], FileFinder]:
    """A hook of `sys.path_hooks`: finders for folders of `package`, ImportError for others."""

    class Loader(SourceFileLoader):
        def get_code(self, fullname: str) -> CodeType | None:
            # Nothing else is imported meanwhile: this compiles, and runs nothing.
            told = sys.dont_write_bytecode, sys.pycache_prefix
            sys.dont_write_bytecode, sys.pycache_prefix = False, str(folder)
            try:
                return super().get_code(fullname)
            finally:
                sys.dont_write_bytecode, sys.pycache_prefix = told

    def find(path: str) -> FileFinder:
        if not Path(path).is_relative_to(package):
            raise ImportError("not ours", path=path)
        return FileFinder(path, (Loader, SOURCE_SUFFIXES))

    return find
