"""Operations that give no object: what a pod, a service or a node answers itself, and logs."""

from collections.abc import Iterator
from typing import Final

from cluster.api.openapi.model import Operation, Parameter
from cluster.api.resources import Resource
from cluster.api.subresources import Subresource

_ANY: Final = ("*/*",)
_LOG_MEDIA: Final = ("application/json", "application/yaml", "text/plain")
_METHODS: Final = ("delete", "get", "head", "options", "patch", "post", "put")
_CONTAINER = Parameter("container", "string", "Which container; left out: the pod's only one.")
_STREAMS = (
    Parameter("stderr", "boolean", "Send what the command writes to stderr."),
    Parameter("stdin", "boolean", "Give the command what the client sends."),
    Parameter("stdout", "boolean", "Send what the command writes to stdout."),
    Parameter("tty", "boolean", "Give the command a terminal."),
)
_PATH = Parameter("path", "string", "The path, behind the proxy, of a request that names none.")
_LOG = (
    _CONTAINER,
    Parameter("follow", "boolean", "Go on as the log is written."),
    Parameter("insecureSkipTLSVerifyBackend", "boolean", "Do not check the kubelet's certificate."),
    Parameter("limitBytes", "integer", "At most so many bytes."),
    Parameter("pretty", "string", "If 'true', the answer is indented."),
    Parameter("previous", "boolean", "The log of the container's run before this one."),
    Parameter("sinceSeconds", "integer", "Only lines of the last so many seconds."),
    Parameter("stream", "string", "All, Stdout or Stderr: what the container wrote where."),
    Parameter("tailLines", "integer", "Only so many lines at the end."),
    Parameter("timestamps", "boolean", "Put the time before each line."),
)
_PARAMETERS: Final = {
    "attach": (_CONTAINER, *_STREAMS),
    "exec": (
        Parameter("command", "string", "The command, a word each time; no shell reads it."),
        _CONTAINER,
        *_STREAMS,
    ),
    "portforward": (
        Parameter("ports", "integer", "The ports; needed where WebSocket channels are used."),
    ),
}


def known(sub: Subresource) -> bool:
    """Whether a subresource is one of these."""
    return sub.name in _PARAMETERS or sub.name in ("log", "proxy")


def of_subresource(row: Resource, sub: Subresource, path: str) -> Iterator[Operation]:
    """The operations of a subresource of `row` at `path`."""
    gvk = sub.gvk(row)
    if sub.name == "log":
        name = _id(row, sub, "read", "")
        yield Operation(path, "get", "get", name, gvk, _LOG, text=_LOG_MEDIA)
        return
    if sub.name != "proxy":
        for method in ("get", "post"):
            name = _id(row, sub, "connect", method)
            parameters = _PARAMETERS[sub.name]
            yield Operation(path, method, "connect", name, gvk, parameters, text=_ANY)
        return
    for suffix, behind in (("", ""), ("WithPath", "/{path}")):
        for method in _METHODS:
            name = _id(row, sub, "connect", method) + suffix
            yield Operation(path + behind, method, "connect", name, gvk, (_PATH,), text=_ANY)


def _id(row: Resource, sub: Subresource, prefix: str, method: str) -> str:
    """`connectCoreV1GetNamespacedPodExec`: these are of the core group alone."""
    namespaced = "Namespaced" if row.namespaced else ""
    version = row.version.capitalize()
    place = f"Core{version}{method.capitalize()}{namespaced}{row.kind}"
    return f"{prefix}{place}{sub.name.capitalize()}"
