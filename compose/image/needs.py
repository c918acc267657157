"""Prints what pyproject.toml says that kubemu needs, for pip: `needs.py pyproject.toml`.

So the image's layer of other packages is made of pyproject.toml alone, and outlives changes of
kubemu itself.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
sys.stdout.write("\n".join(project["dependencies"]) + "\n")
