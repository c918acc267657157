"""What `crictl inspect` and its like show beside the status: JSON documents, named as containerd's.

Imported when somebody asks for it.
"""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.records import Container, Sandbox


def sandbox(found: Sandbox) -> dict[str, str]:
    """Of a sandbox."""
    return _info(
        {
            "runtimeHandler": found.handler,
            "config": _document(found.config),
            "addresses": list(found.addresses),
        }
    )


def container(found: Container) -> dict[str, str]:
    """Of a container."""
    return _info(
        {
            "sandboxID": found.sandbox.id,
            "removing": False,
            "config": _document(found.config),
            "resources": _document(found.resources),
        }
    )


def image(found: pb.Image) -> dict[str, str]:
    """Of an image."""
    return _info({"imageSpec": {"digest": found.id, "names": list(found.repo_tags)}})


def runtime(settings: dict[str, Any], **more: str) -> dict[str, str]:
    """Of the runtime itself."""
    return {"config": json.dumps(settings)} | more


def _info(document: dict[str, Any]) -> dict[str, str]:
    return {"info": json.dumps(document)}


def _document(message: Message) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
