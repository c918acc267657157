"""client-go with protobuf bodies both ways; its program is in the folder `go`."""

import re
from pathlib import Path

import clientworld
import pytest
from clientworld import World

JOBS = re.findall(r'^\t"(\w+)": ', (Path(__file__).parent / "go" / "main.go").read_text(), re.M)


@pytest.mark.parametrize("job", JOBS)
def test_a_job(cluster: World, namespace: str, job: str) -> None:
    binary = clientworld.program("go/kubemu-client", "the program built from tests/clients/go")
    assert cluster.run(str(binary), job, namespace) == "done\n"
