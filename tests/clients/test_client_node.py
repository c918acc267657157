"""`@kubernetes/client-node`; what it does is in the folder `node`."""

import re
import shutil
from pathlib import Path

import clientworld
import pytest
from clientworld import World

SCRIPT = Path(__file__).parent / "node" / "jobs.mjs"
JOBS = re.findall(r"^  async (\w+)\(\) \{$", SCRIPT.read_text(), re.M)


@pytest.mark.parametrize("job", JOBS)
def test_a_job(cluster: World, namespace: str, web: str, job: str) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node on the PATH: Node.js itself is brought by no script")
    folder = clientworld.program("node", "@kubernetes/client-node")
    said = cluster.run("node", str(SCRIPT), job, namespace, web, CLIENT_NODE=str(folder))
    assert said == "done\n"
