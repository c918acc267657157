"""Annotations of a pod that changed after its sandbox was made. Pure.

A kubelet says with each container (in CRI's CreateContainerRequest) how its pod is configured now.
What `kubemu.dev/` annotations say then counts for that container for good, also after the runtime
was restarted: where it differs from the sandbox's it is kept with the container.
"""

import json
from collections.abc import Mapping
from typing import Final

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.script import PREFIX

NAME: Final = "kubemu.dev/pod-annotations"
"""The annotation of a container's configuration that holds them, as a JSON object."""


def completed(
    sandbox: pb.PodSandboxConfig, request: pb.CreateContainerRequest
) -> pb.ContainerConfig:
    """The configuration of the container that is to be made in a sandbox."""
    if not request.HasField("sandbox_config"):
        return request.config
    now = _ours(request.sandbox_config.annotations)
    if now == _ours(sandbox.annotations):
        return request.config
    config = pb.ContainerConfig()
    config.CopyFrom(request.config)
    config.annotations[NAME] = json.dumps(now, sort_keys=True)
    return config


def annotations(sandbox: pb.PodSandboxConfig, config: pb.ContainerConfig) -> Mapping[str, str]:
    """What the pod says of a container with this configuration."""
    text = config.annotations.get(NAME)
    if text is None:
        return dict(sandbox.annotations)
    try:
        found = json.loads(text)
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, AttributeError):
        return dict(sandbox.annotations)


def _ours(given: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in given.items() if key.startswith(PREFIX)}
