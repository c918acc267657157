"""Lists the pods of a cluster by gRPC, then watches them, until it is interrupted.

.venv/bin/python examples/watch_pods.py ~/.kubemu/kubemu/kubeconfig
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import grpc
import yaml

from cluster.pb.cluster.v1 import resources_pb2, resources_pb2_grpc


def connect(kubeconfig: str) -> grpc.Channel:
    """A channel to the gRPC address that the kubeconfig names, as its user."""
    config: dict[str, Any] = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    credentials = grpc.ssl_channel_credentials(
        base64.b64decode(cluster["certificate-authority-data"]),
        base64.b64decode(user["client-key-data"]),
        base64.b64decode(user["client-certificate-data"]),
    )
    (extension,) = [each for each in cluster["extensions"] if each["name"] == "kubemu.dev/grpc"]
    return grpc.secure_channel(extension["extension"]["server"], credentials)


def show(what: str, pod: dict[str, Any]) -> None:
    """One line of a pod."""
    print(f"{what:<9}{pod['metadata']['name']:<40}{pod['status'].get('phase')}", flush=True)


def main(kubeconfig: str) -> None:
    """List, then watch from the list's revision until interrupted."""
    resources = resources_pb2_grpc.ResourcesStub(connect(kubeconfig))
    revision = 0
    for chunk in resources.List(resources_pb2.ListRequest(resource="pods")):
        revision = chunk.revision
        for item in chunk.items:
            show("LISTED", json.loads(item.json))
    request = resources_pb2.WatchRequest(resource="pods", revision=revision)
    for batch in resources.Watch(request):
        for event in batch.events:
            if event.type != resources_pb2.Event.BOOKMARK:
                show(resources_pb2.Event.Type.Name(event.type), json.loads(event.json))


if __name__ == "__main__":
    main(sys.argv[1])
