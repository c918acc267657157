"""Takes out of a virtual environment what kubemu never reads: `slim.py /opt/kubemu`.

Tests, headers and symbols of other packages, pip, and of kubernetes-validate (which is never
imported) all but the definitions from which `cluster.api.schema` knows the kinds: 16 MB of 108.
"""

import shutil
import subprocess
import sys
from pathlib import Path

(packages,) = (Path(sys.argv[1]) / "lib").glob("python3*/site-packages")

for pattern in (
    "pip",
    "pip-*",
    "setuptools",
    "setuptools-*",
    "_distutils_hack",
    "distutils-precedence.pth",
    "pkg_resources",
    "numpy/**/tests",
    "numpy/f2py",
    "numpy/distutils",
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/random/lib",
    "numpy/_core/_simd.*",
    "numpy/_core/*_tests.*.so",
    # What kubernetes-validate and cffi would want.
    "jsonschema*",
    "referencing*",
    "rpds*",
    "pycparser*",
    "*.dist-info/RECORD",
    "**/*.pyi",
    "**/*.pxd",
    "**/*.pyx",
    "aiohttp/**/*.c",
):
    for found in list(packages.glob(pattern)):
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)

for schemas in (packages / "kubernetes_validate" / "kubernetes-json-schema").iterdir():
    if not schemas.name.endswith("-local"):
        shutil.rmtree(schemas)
        continue
    for file in schemas.iterdir():
        if file.name != "_definitions.json":
            file.unlink()

# rich colours tracebacks, which are Python.
for lexer in (packages / "pygments" / "lexers").glob("*.py"):
    if lexer.stem not in ("__init__", "_mapping", "python", "special"):
        lexer.unlink()
        for compiled in (lexer.parent / "__pycache__").glob(f"{lexer.stem}.*.pyc"):
            compiled.unlink()

# Not of numpy: its libraries were changed after they were linked, and do not survive this.
found = packages.glob("**/*.so")
libraries = [file for file in found if not any(part.startswith("numpy") for part in file.parts)]
subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)

for script in (Path(sys.argv[1]) / "bin").iterdir():
    if not script.name.startswith(("python", "kubemu")):
        script.unlink()
