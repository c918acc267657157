"""The shapes of kubescheduler.config.k8s.io/v1, for the same strict decoder as the API's kinds.

Source: k8s.io/kube-scheduler/config/v1 (types.go, types_pluginargs.go) and k8s.io/component-base.
"""

from functools import cache
from typing import Final

from cluster.api import schema
from cluster.api.schema import Field, Kind, Node

GROUP: Final = "kubescheduler.config.k8s.io"
API_VERSION: Final = f"{GROUP}/v1"
KIND: Final = "KubeSchedulerConfiguration"

EXTENSION_POINTS: Final = (
    "preEnqueue", "queueSort", "preFilter", "filter", "postFilter", "preScore", "score", "reserve",
    "permit", "preBind", "bind", "postBind", "multiPoint",
)  # fmt: skip
LATER_POINTS: Final = (
    "placementGenerate", "placementScore", "placementFeasible", "podGroupPostFilter",
)  # fmt: skip
"""Those of groups of pods, which this scheduler does not schedule together."""


def _scalar(kind: Kind, go: str) -> Node:
    return Node("", kind, go)


_TEXT: Final = _scalar("string", "string")
_BOOL: Final = _scalar("boolean", "bool")
_INT32: Final = _scalar("integer", "int32")
_INT64: Final = _scalar("integer", "int64")
_REAL: Final = _scalar("number", "float32")
_DURATION: Final = _scalar("string", "v1.Duration")
_BYTES: Final = _scalar("bytes", "[]uint8")
_RAW: Final = _scalar("json-object", "runtime.RawExtension")


def _struct(go: str, **fields: Node) -> Node:
    node = Node("", "struct", f"v1.{go}")
    node.fields = {name: Field(inner) for name, inner in fields.items()}
    return node


def _list(element: Node) -> Node:
    return Node("", "list", f"[]{element.go}", element=element)


_PLUGIN: Final = _struct("Plugin", name=_TEXT, weight=_INT32)
_PLUGIN_SET: Final = _struct("PluginSet", enabled=_list(_PLUGIN), disabled=_list(_PLUGIN))
_PLUGINS: Final = _struct(
    "Plugins", **dict.fromkeys((*EXTENSION_POINTS, *LATER_POINTS), _PLUGIN_SET)
)
_PROFILE: Final = _struct(
    "KubeSchedulerProfile",
    schedulerName=_TEXT,
    percentageOfNodesToScore=_INT32,
    percentageOfPlacementsToScore=_INT32,
    plugins=_PLUGINS,
    pluginConfig=_list(_struct("PluginConfig", name=_TEXT, args=_RAW)),
)
_EXTENDER: Final = _struct(
    "Extender",
    urlPrefix=_TEXT,
    filterVerb=_TEXT,
    preemptVerb=_TEXT,
    prioritizeVerb=_TEXT,
    weight=_INT64,
    bindVerb=_TEXT,
    enableHTTPS=_BOOL,
    tlsConfig=_struct(
        "ExtenderTLSConfig",
        insecure=_BOOL,
        serverName=_TEXT,
        certFile=_TEXT,
        keyFile=_TEXT,
        caFile=_TEXT,
        certData=_BYTES,
        keyData=_BYTES,
        caData=_BYTES,
    ),
    httpTimeout=_DURATION,
    nodeCacheCapable=_BOOL,
    managedResources=_list(
        _struct("ExtenderManagedResource", name=_TEXT, ignoredByScheduler=_BOOL)
    ),
    ignorable=_BOOL,
)
CONFIGURATION: Final = _struct(
    KIND,
    apiVersion=_TEXT,
    kind=_TEXT,
    parallelism=_INT32,
    leaderElection=_struct(
        "LeaderElectionConfiguration",
        leaderElect=_BOOL,
        leaseDuration=_DURATION,
        renewDeadline=_DURATION,
        retryPeriod=_DURATION,
        resourceLock=_TEXT,
        resourceName=_TEXT,
        resourceNamespace=_TEXT,
    ),
    clientConnection=_struct(
        "ClientConnectionConfiguration",
        kubeconfig=_TEXT,
        acceptContentTypes=_TEXT,
        contentType=_TEXT,
        qps=_REAL,
        burst=_INT32,
    ),
    enableProfiling=_BOOL,
    enableContentionProfiling=_BOOL,
    percentageOfNodesToScore=_INT32,
    percentageOfPlacementsToScore=_INT32,
    podInitialBackoffSeconds=_INT64,
    podMaxBackoffSeconds=_INT64,
    profiles=_list(_PROFILE),
    extenders=_list(_EXTENDER),
    delayCacheUntilActive=_BOOL,
)

_RESOURCES: Final = _list(_struct("ResourceSpec", name=_TEXT, weight=_INT64))
_SHAPE: Final = _list(_struct("UtilizationShapePoint", utilization=_INT32, score=_INT32))


@cache
def arguments(plugin: str) -> Node | None:
    """The shape of a plugin's arguments; None where they are the plugin's own affair."""
    fields = _argument_fields(plugin)
    if fields is None:
        return None
    return _struct(f"{plugin}Args", apiVersion=_TEXT, kind=_TEXT, **fields)


def _argument_fields(plugin: str) -> dict[str, Node] | None:
    if plugin == "DefaultPreemption":
        return {"minCandidateNodesPercentage": _INT32, "minCandidateNodesAbsolute": _INT32}
    if plugin == "InterPodAffinity":
        return {"hardPodAffinityWeight": _INT32, "ignorePreferredTermsOfExistingPods": _BOOL}
    if plugin == "NodeResourcesBalancedAllocation":
        return {"resources": _RESOURCES}
    if plugin == "VolumeBinding":
        return {"bindTimeoutSeconds": _INT64, "shape": _SHAPE}
    if plugin == "NodeResourcesFit":
        ratio = _struct("RequestedToCapacityRatioParam", shape=_SHAPE)
        strategy = _struct(
            "ScoringStrategy", type=_TEXT, resources=_RESOURCES, requestedToCapacityRatio=ratio
        )
        texts = _list(_TEXT)
        return {
            "ignoredResources": texts, "ignoredResourceGroups": texts, "scoringStrategy": strategy,
        }  # fmt: skip
    if plugin == "NodeAffinity":
        return {"addedAffinity": _of_pods("affinity", "nodeAffinity")}
    if plugin == "PodTopologySpread":
        return {
            "defaultConstraints": _of_pods("topologySpreadConstraints"), "defaultingType": _TEXT,
        }  # fmt: skip
    if plugin == "DynamicResources":
        return {"filterTimeout": _DURATION, "bindingTimeout": _DURATION}
    return None


def _of_pods(*path: str) -> Node:
    """The shape of a part of a pod's spec."""
    node = schema.for_kind("v1", "Pod")
    for name in ("spec", *path):
        if node is None:
            raise LookupError(f"pods have no {'.'.join(path)}")
        node = node.fields[name].node
    if node is None:
        raise LookupError(f"pods have no {'.'.join(path)}")
    return node
