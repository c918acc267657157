"""What all processes of a cluster have in memory: nothing that only some uses of it need."""

import json
import subprocess
import sys

HEAVY = (
    "rich", "jsonschema", "kubernetes_validate", "prometheus_client", "quickjs", "docker", "jwt",
    "pytest", "hypothesis", "cluster.api.cel", "cluster.chaos", "cluster.lab", "cluster.balancer",
    "cluster.storage.etcd",
)  # fmt: skip
MOST = 2_150
"""Modules, a tenth more than there are: each costs every cluster memory and time at its start."""
PROGRAM = """
import importlib, json, sys
from cluster.cli import preload
preload.share()
for names in preload.GROUPS.values():
    for name in names:
        module, _, function = name.partition(":")
        found = importlib.import_module(module)
        if function:
            getattr(found, function)()
print(json.dumps(sorted(name for name, module in sys.modules.items() if module is not None)))
"""


def test_the_zygote_imports_what_idle_processes_need_and_no_more() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=100, check=True
    )
    there = json.loads(done.stdout.splitlines()[-1])
    unwanted = [name for name in there if any(name == h or name.startswith(f"{h}.") for h in HEAVY)]
    assert unwanted == []
    assert len(there) < MOST, len(there)
