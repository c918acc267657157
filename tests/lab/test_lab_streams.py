"""Looking into containers from a scenario of the lab."""

import pytest

from cluster.api import errors
from cluster.apiserver.kubelets.protocol import Unreachable
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

POD = """
apiVersion: v1
kind: Pod
metadata: {name: worker}
spec:
  containers:
  - name: main
    image: busybox
    command: [sh, -c, "while true; do echo tick $(date +%s); sleep 10; done"]
"""


async def scenario(cluster: Cluster) -> str:
    await cluster.apply(POD)
    await cluster.until(lambda: cluster.pods(ready=True), within=30)
    await cluster.sleep(35)
    done = await cluster.exec("worker", "sh", "-c", "hostname; echo oops >&2; exit 4")
    assert (done.out, done.err, done.code) == ("worker\n", "oops\n", 4)
    node = cluster.get("pods", "worker", "default")["spec"]["nodeName"]  # type: ignore[index]
    log = await cluster.logs("worker")
    await cluster.stop(f"kubelet/{node}")
    with pytest.raises(Unreachable):
        await cluster.logs("worker")
    await cluster.start(f"kubelet/{node}")
    await cluster.sleep(10)
    assert (await cluster.logs("worker")).startswith(log)
    with pytest.raises(errors.NotFound):
        await cluster.exec("nobody", "ls")
    return log


def test_a_scenario_reads_logs_and_runs_commands_alike_for_a_seed() -> None:
    logs = [Lab(seed=7, nodes=2).run(scenario) for _ in range(2)]
    assert len(logs[0].splitlines()) == 4
    assert logs[0] == logs[1]
