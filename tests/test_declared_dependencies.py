"""Whoever installs kubemu gets everything that its code imports."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module


def _canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_every_package_that_the_code_imports_is_a_declared_dependency() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        _canonical(re.split(r"[\s\[<>=!~;]", said, maxsplit=1)[0])
        for said in project["dependencies"]
    }
    of_import = packages_distributions()
    missing: dict[str, str] = {}
    for path in sorted((_ROOT / "cluster").rglob("*.py")):
        for module in _imported(path):
            top = module.partition(".")[0]
            if top in ("cluster", "google") or top in sys.stdlib_module_names:
                continue  # several distributions share the name google
            if not declared & {_canonical(one) for one in of_import.get(top, (top,))}:
                missing.setdefault(top, path.relative_to(_ROOT).as_posix())
    assert missing == {}
