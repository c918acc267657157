"""Bytecode is kept in the user's cache where Python may not write any, and only there."""

import importlib
import importlib.util
import marshal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli import bytecode

_NAME = "bytecodetried"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of two modules in the place of ours; Python may not write bytecode."""
    folder = tmp_path / "code" / _NAME
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "part.py").write_text("VALUE = 1\n")
    monkeypatch.setattr(bytecode, "_PACKAGE", folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    monkeypatch.syspath_prepend(str(folder.parent))
    bytecode.keep.cache_clear()
    yield folder
    bytecode.keep.cache_clear()
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == _NAME]:
        del sys.modules[name]
    for path in [path for path in sys.path_importer_cache if _NAME in path]:
        del sys.path_importer_cache[path]


def _value() -> int:
    _forget()
    value: int = importlib.import_module(f"{_NAME}.part").VALUE
    return value


def _kept(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").rglob("part.*.pyc"))


def test_bytecode_is_written_to_the_cache_and_read_from_there(
    package: Path, tmp_path: Path
) -> None:
    bytecode.keep()
    assert _value() == 1
    [kept] = _kept(tmp_path)
    assert not list(package.rglob("*.pyc"))

    # Its head says of which source it is; behind that lies other code now.
    other = importlib.util.cache_from_source(str(package / "part.py"))
    source = (package / "part.py").read_bytes().replace(b"1", b"2")
    head = kept.read_bytes()[:16]
    kept.write_bytes(head + marshal.dumps(compile(source, other, "exec")))
    assert _value() == 2
    assert (sys.dont_write_bytecode, sys.pycache_prefix) == (True, None)


def test_changed_sources_are_compiled_again(package: Path) -> None:
    bytecode.keep()
    assert _value() == 1
    (package / "part.py").write_text("VALUE = 17\n")
    assert _value() == 17


def test_only_our_modules_are_kept(package: Path, tmp_path: Path) -> None:
    (package.parent / f"{_NAME}other.py").write_text("")
    bytecode.keep()
    importlib.import_module(f"{_NAME}other")
    del sys.modules[f"{_NAME}other"]
    assert not list((tmp_path / "cache").rglob("*.pyc"))


@pytest.mark.parametrize("why", ["Python writes", "it lies beside", "a place was chosen"])
def test_nothing_is_kept_where_it_is_not_needed(
    why: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "Python writes":
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
    elif why == "it lies beside":
        beside = Path(importlib.util.cache_from_source(str(package / "__init__.py")))
        beside.parent.mkdir()
        beside.write_bytes(b"")
    else:
        monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "chosen"))
    hooks = list(sys.path_hooks)
    bytecode.keep()
    assert sys.path_hooks == hooks


def test_a_cache_that_cannot_be_written_does_no_harm(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    bytecode.keep()
    assert _value() == 1
