"""The store of a real cluster: its past, its snapshots, and a restored cluster's revisions."""

import json

import pytest
from realcluster import KUBEMU, until

pytestmark = pytest.mark.timeout(300)


def test_the_past_is_shown_and_a_snapshot_brings_it_back_without_going_back(clusters, tmp_path):
    cluster = clusters("stored")
    cluster.kubectl("create", "configmap", "first", "--from-literal=a=1")
    kept = cluster.get("configmap", "first")["metadata"]
    cluster.kubectl("create", "configmap", "second", "--from-literal=a=2")
    there = cluster.get("configmap", "second")["metadata"]["resourceVersion"]
    saved = tmp_path / "saved"
    assert "objects at revision" in cluster.run(
        [*KUBEMU, "snapshot", "save", str(saved), "--name", cluster.name]
    )
    cluster.kubectl("delete", "configmap", "second")
    gone = cluster.kubemu("get", "configmap", "second", code=1)
    assert 'configmaps "second" not found' in gone
    past = json.loads(cluster.kubemu("get", "cm", "second", "--at", there, "-o", "json"))
    assert past["data"] == {"a": "2"}
    cluster.kubemu("restart", "apiserver")
    assert past == json.loads(cluster.kubemu("get", "cm", "second", "--at", there, "-o", "json"))
    several = cluster.kubemu("get", "cm,all", "--at", there, "-o", "name").split()
    assert {"configmap/second", "service/kubernetes"} <= set(several)
    assert "not happened yet" in cluster.kubemu("get", "cm", "--at", "99999999", code=1)
    assert "second" not in cluster.kubemu("get", "cm", "-A", "--at", "0s ago")
    assert "oldest time that is kept" in cluster.kubemu("get", "cm", "--at", "9d ago", code=1)
    assert "whole" in cluster.run([*KUBEMU, "snapshot", "ls", str(saved)])
    assert ": sound" in cluster.run([*KUBEMU, "store", "verify", "--name", cluster.name])
    restore = [*KUBEMU, "snapshot", "restore", str(saved), "--name", cluster.name]
    assert "the cluster runs" in cluster.run(restore, 1)

    cluster.kubemu("down", "--keep-data")
    assert "the store goes on from revision 1000" in cluster.run(restore)
    cluster.kubemu("up")
    assert cluster.get("configmap", "first")["metadata"]["uid"] == kept["uid"]
    assert cluster.get("configmap", "second")["metadata"]["resourceVersion"] == there
    late = f"/api/v1/configmaps?watch=1&timeoutSeconds=5&resourceVersion={int(there) + 1}"
    event = json.loads(cluster.kubectl("get", "--raw", late).splitlines()[0])
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    cluster.kubectl("create", "configmap", "third", "--from-literal=a=3")
    assert int(cluster.get("configmap", "third")["metadata"]["resourceVersion"]) > 1_000_000
    until("nodes are ready", lambda: cluster.kubectl("get", "nodes").count(" Ready ") == 3)
