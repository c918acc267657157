"""What a container finds that its configuration names: users, devices, namespaces, profiles."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.oci import devices
from cluster.runtime.oci.spec import Device
from cluster.runtime.records import Container


def processes(container: Container, pids: Mapping[str, int]) -> int:
    """See `spec.Surroundings.processes`; `pids` are those of sandboxes and containers, by id."""
    options = container.config.linux.security_context.namespace_options
    if options.pid == pb.NODE:
        return -1
    if options.pid == pb.POD:
        return pids.get(container.sandbox.id, 0)
    if options.pid == pb.TARGET:
        return pids.get(options.target_id, 0)
    return 0


def devices_of(config: pb.ContainerConfig) -> list[Device]:
    """Those that it names, and all of the machine where it is privileged. rpc.Failure."""
    found = devices.named(config.devices)
    return [*devices.every(), *found] if config.linux.security_context.privileged else found


def seccomp(security: pb.LinuxContainerSecurityContext) -> Mapping[str, Any] | None:
    """The profile of a node's file. rpc.Failure."""
    if security.seccomp.profile_type != pb.SecurityProfile.Localhost:
        return None
    path = security.seccomp.localhost_ref
    try:
        found = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        text = f'failed to load seccomp profile "{path}": {error}'
        raise rpc.Failure("UNKNOWN", text) from error
    return found if isinstance(found, dict) else None
