"""From the text of a configuration file to what a scheduler runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import durations, walker, yaml_text
from cluster.api.errors import Cause
from cluster.scheduler.configuration import (
    arguments,
    argvalidation,
    types,
    validation,
)
from cluster.scheduler.configuration.settings import PluginSet, ProfileSettings
from cluster.scheduler.pods import DEFAULT_SCHEDULER_NAME

Document = dict[str, Any]

_ELECTION: Final[Document] = {
    "leaderElect": True,
    "leaseDuration": "15s",
    "renewDeadline": "10s",
    "retryPeriod": "2s",
    "resourceLock": "leases",
    "resourceName": "kube-scheduler",
    "resourceNamespace": "kube-system",
}
_DEFAULTS: Final[Document] = {
    "parallelism": 16,
    "podInitialBackoffSeconds": 1,
    "podMaxBackoffSeconds": 10,
}


class Invalid(ValueError):
    """The configuration cannot be used; the message has a line for each thing that is wrong."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file says. Times are in seconds; `leader_elect` is None where it does not say.

    `notes` are sentences about what is accepted without effect.
    """

    profiles: tuple[ProfileSettings, ...]
    initial_backoff: float
    maximum_backoff: float
    leader_elect: bool | None
    lease_name: str
    lease_namespace: str
    lease_duration: float
    renew_deadline: float
    retry_period: float
    kubeconfig: str
    notes: tuple[str, ...]


def load(text: str, missing: validation.Missing) -> Loaded:
    """Read a file's text. `missing`: why there is no plugin of a name, "" for one that is there.

    Invalid.
    """
    try:
        found = yaml_text.read(text)
    except yaml_text.Unreadable as error:
        raise Invalid(str(error)) from None
    decoded = _decoded(found)
    nested = _decoded_arguments(decoded)
    whole = _defaulted(decoded)
    complaints = validation.check(whole, missing)
    for place, name, args in nested:
        complaints += argvalidation.check(name, place, args)
    if complaints:
        raise Invalid("\n".join(_line(one) for one in complaints))
    return _loaded(whole, {place: args for place, _, args in nested}, decoded)


def _line(cause: Cause) -> str:
    return f"{cause.field}: {cause.message}" if cause.field else cause.message


def _decoded(found: Any) -> Document:
    """The document as its type has it. Invalid."""
    if not isinstance(found, dict):
        raise Invalid("the file must hold one object: a KubeSchedulerConfiguration")
    for name in ("apiVersion", "kind"):
        if not found.get(name):
            word = "Kind" if name == "kind" else "apiVersion"
            raise Invalid(f"Object '{word}' is missing: say {name}: {_expected(name)}")
    if found["apiVersion"] != types.API_VERSION or found["kind"] != types.KIND:
        raise Invalid(
            f'no kind "{found["kind"]}" is registered for version "{found["apiVersion"]}": '
            f"say kind: {types.KIND}, apiVersion: {types.API_VERSION}"
        )
    unknown = walker.Unknown()
    try:
        decoded: Document = walker.walk(types.CONFIGURATION, found, unknown)
    except walker.Malformed as error:
        raise Invalid(str(error)) from None
    _refuse(unknown, "")
    return decoded


def _expected(name: str) -> str:
    return types.KIND if name == "kind" else types.API_VERSION


def _refuse(unknown: walker.Unknown, where: str) -> None:
    if unknown.paths:
        told = ", ".join(f'unknown field "{path}"' for path in unknown.paths)
        raise Invalid(f"{where}strict decoding error: {told}")


def _decoded_arguments(decoded: Document) -> list[tuple[str, str, Document]]:
    """Path, plugin and arguments with their defaults, for plugins whose arguments have a type."""
    found = []
    for index, profile in enumerate(decoded.get("profiles") or ()):
        for at, one in enumerate(profile.get("pluginConfig") or ()):
            name = one.get("name", "")
            node = types.arguments(name)
            if node is not None:
                where = f"decoding .profiles[{index}].pluginConfig[{at}]: "
                place = f"profiles[{index}].pluginConfig[{at}].args"
                found.append((place, name, _arguments(node, name, one.get("args"), where)))
    return found


def _arguments(node: Any, name: str, args: Any, where: str) -> Document:
    unknown = walker.Unknown()
    where = f"{where}decoding args for plugin {name}: "
    try:
        document: Document = walker.walk(node, {} if args is None else args, unknown)
    except walker.Malformed as error:
        raise Invalid(f"{where}{error}") from None
    kind = document.get("kind", f"{name}Args")
    version = document.get("apiVersion", types.API_VERSION)
    if kind != f"{name}Args" or version != types.API_VERSION:
        raise Invalid(
            f"args for plugin {name} were not of type {name}Args.{types.GROUP}, "
            f"got {kind}.{version.partition('/')[0]}"
        )
    _refuse(unknown, where)
    return arguments.defaulted(name, document)


def _defaulted(decoded: Document) -> Document:
    whole = _DEFAULTS | decoded
    profiles = whole.get("profiles") or [{}]
    if len(profiles) == 1 and "schedulerName" not in profiles[0]:
        profiles = [{"schedulerName": DEFAULT_SCHEDULER_NAME} | profiles[0]]
    given = decoded.get("leaderElection") or {}
    election = _ELECTION | {name: value for name, value in given.items() if value != ""}
    return whole | {"profiles": profiles, "leaderElection": election}


def _loaded(whole: Document, args: dict[str, Document], decoded: Document) -> Loaded:
    election = whole["leaderElection"]
    profiles = [
        _profile(f"profiles[{index}]", profile, args)
        for index, profile in enumerate(whole["profiles"])
    ]
    return Loaded(
        profiles=tuple(profiles),
        initial_backoff=float(whole["podInitialBackoffSeconds"]),
        maximum_backoff=float(whole["podMaxBackoffSeconds"]),
        leader_elect=election["leaderElect"] if decoded.get("leaderElection") else None,
        lease_name=election["resourceName"],
        lease_namespace=election["resourceNamespace"],
        lease_duration=durations.parse(election["leaseDuration"]),
        renew_deadline=durations.parse(election["renewDeadline"]),
        retry_period=durations.parse(election["retryPeriod"]),
        kubeconfig=(decoded.get("clientConnection") or {}).get("kubeconfig", ""),
        notes=tuple(_notes(decoded)),
    )


def _profile(path: str, profile: Document, args: dict[str, Document]) -> ProfileSettings:
    sets = {
        point: PluginSet(
            tuple((one["name"], one.get("weight", 0)) for one in given.get("enabled") or ()),
            tuple(one.get("name", "") for one in given.get("disabled") or ()),
        )
        for point, given in (profile.get("plugins") or {}).items()
    }
    made: dict[str, Any] = {}
    for at, one in enumerate(profile.get("pluginConfig") or ()):
        typed = args.get(f"{path}.pluginConfig[{at}].args")
        name = one.get("name", "")
        if typed is None:
            made[name] = one.get("args")
        elif name in arguments.MAKERS:
            try:
                made[name] = arguments.taken(name, typed)
            except ValueError as error:
                raise Invalid(f"{path}.pluginConfig[{at}].args: {error}") from None
    return ProfileSettings(profile["schedulerName"], sets, made)


def _notes(decoded: Document) -> Sequence[str]:
    profiles = decoded.get("profiles") or ()
    found = []
    if any("percentageOfNodesToScore" in holder for holder in (decoded, *profiles)):
        found.append("percentageOfNodesToScore has no effect: every node is judged")
    if "parallelism" in decoded:
        found.append("parallelism has no effect: all nodes are judged at once")
    if decoded.get("delayCacheUntilActive") is False:
        found.append("delayCacheUntilActive is always so: caches are filled by the leader")
    connection = decoded.get("clientConnection") or {}
    ignored = [name for name in ("acceptContentTypes", "contentType", "qps", "burst")
               if name in connection]  # fmt: skip
    if ignored:
        found.append(f"clientConnection.{', '.join(ignored)}: no effect on connections by gRPC")
    profiling = [name for name in decoded if name.startswith("enable")]
    if profiling:
        found.append(f"{', '.join(profiling)}: no effect")
    return found
