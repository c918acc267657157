"""What the pod network of a whole cluster does: one table, for every kind of cluster.

A lab on virtual time, processes with emulated pods, and processes with pods in network namespaces
of the kernel are each asked the same (networkverdicts) and are to say the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PORT = 8080
"""Where each pod says who it is, and who asks."""
POD_RANGE = "10.244.0.0/16"


@dataclass(frozen=True)
class Pod:
    """A pod that serves and asks; its label `app` is its name."""

    name: str
    node: str
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    ready: bool = True
    lingers: int = 0
    """Seconds that it serves on while it is being deleted."""


@dataclass(frozen=True)
class Probe:
    """Who asks whom, and what may come of it: `NAME as CLIENT` (NAME answered, and saw the address
    of CLIENT), `refused`, `timeout`, `unreachable`. What is not sticky is asked until all came.

    `client` is a pod, or `machine`: the machine on which clusters of processes run. `target` is
    `pod/NAME:PORT`, `service/NAME:PORT`, `balancer/NAME:PORT`, `node/NAME:PORT`, an address and
    port, or `name/NAME`: then the cluster's DNS is asked, and the verdict is `named POD POD…` or
    `unknown`.
    """

    client: str
    target: str
    verdicts: frozenset[str]
    sticky: bool = False
    """Asked again it is the same of these verdicts each time."""


@dataclass(frozen=True)
class Scenario:
    """Objects that are made, pods that are then told to end, and what is asked after that."""

    name: str
    manifests: str
    probes: Sequence[Probe]
    leaving: Sequence[str] = ()


def ask(client: str, target: str, *verdicts: str, sticky: bool = False) -> Probe:
    """A probe."""
    return Probe(client, target, frozenset(verdicts), sticky)


PODS = (
    Pod("here", "node-1", labels={"role": "client", "pair": "near"}),
    Pod("near", "node-1", labels={"role": "server"}),
    Pod("far", "node-2", labels={"role": "server"}),
    Pod("away", "node-2", labels={"role": "client"}),
    Pod("guest", "node-2", namespace="other", labels={"role": "client"}),
    Pod("unready", "node-1", ready=False),
    Pod("ending", "node-2", lingers=100),
    Pod("ending-too", "node-2", lingers=100, labels={"pair": "near"}),
)
ALWAYS = ("here", "near", "far", "away", "guest")
"""The pods that ask; they live through all."""


def service(name: str, selector: str, spec: str = "", port: str = "") -> str:
    """The manifest of a service at port 80."""
    return (
        "---\n{{apiVersion: v1, kind: Service, metadata: {{name: {}}}, spec: {{selector: {{{}}}, {}"
        " ports: [{{port: 80, targetPort: 8080{}}}]}}}}\n"
    ).format(name, selector, spec and spec + ",", port and ", " + port)


def policy(spec: str) -> str:
    """The manifest of a policy in `default`."""
    return (
        "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: some}, "
        f"spec: {{{spec}}}}}\n"
    )


SERVERS = "role: server"

TOGETHER: tuple[Scenario, ...] = (
    Scenario(
        "every pod reaches every pod, and is known by its own address",
        "",
        [
            *(
                ask(client, f"pod/{server}:{PORT}", f"{server} as {client}")
                for client in ALWAYS
                for server in ALWAYS
            ),
            ask("here", "pod/near:9", "refused"),
            ask("here", "pod/far:9", "refused"),
            ask("here", "10.244.250.9:8080", "unreachable"),
        ],
    ),
    Scenario(
        "a cluster IP is answered by each endpoint, at its port alone",
        service("plain", SERVERS),
        [
            ask("here", "service/plain:80", "near as here", "far as here"),
            ask("guest", "service/plain:80", "near as guest", "far as guest"),
            ask("near", "service/plain:80", "near as cni0/node-1", "far as near"),
            ask("here", "service/plain:81", "refused"),
        ],
    ),
    Scenario(
        "a node port is open at every node",
        service("ports", SERVERS, "type: NodePort", "nodePort: 31080"),
        [
            ask("here", "service/ports:80", "near as here", "far as here"),
            ask("here", "node/node-1:31080", "near as cni0/node-1", "far as vtep/node-1"),
            ask("here", "node/node-2:31080", "near as vtep/node-2", "far as cni0/node-2"),
            ask("machine", "node/node-1:31080", "near as cni0/node-1", "far as vtep/node-1"),
            ask("machine", "node/node-2:31080", "near as vtep/node-2", "far as cni0/node-2"),
        ],
    ),
    Scenario(
        "a balancer's address and external addresses lead to the endpoints",
        service("balanced", SERVERS, "type: LoadBalancer, externalIPs: [198.51.100.7]"),
        [
            ask("here", "balancer/balanced:80", "near as cni0/node-1", "far as vtep/node-1"),
            ask("here", "198.51.100.7:80", "near as cni0/node-1", "far as vtep/node-1"),
            ask("away", "198.51.100.7:80", "near as vtep/node-2", "far as cni0/node-2"),
        ],
    ),
    Scenario(
        "names are those of pods where there is no cluster IP, and other names lead there",
        service("headless", SERVERS, "clusterIP: None")
        + service("hidden", "app: unready", "clusterIP: None")
        + "---\n{apiVersion: v1, kind: Service, metadata: {name: alias}, spec: {type: ExternalName,"
        " externalName: headless.default.svc.cluster.local}}\n",
        [
            ask("here", "name/headless.default.svc.cluster.local", "named far near"),
            ask("away", "name/headless", "named far near"),
            ask("guest", "name/headless.default.svc.cluster.local", "named far near"),
            ask("guest", "name/headless.other.svc.cluster.local", "unknown"),
            ask("here", "name/hidden.default.svc.cluster.local", "unknown"),
            ask("far", "name/alias.default.svc.cluster.local", "named far near"),
        ],
    ),
    Scenario(
        "a pod reaches itself by its service",
        service("itself", "app: here"),
        [ask("here", "service/itself:80", "here as cni0/node-1")],
    ),
    Scenario(
        "who has affinity comes to the same endpoint each time",
        service("sticky", SERVERS, "sessionAffinity: ClientIP"),
        [
            ask(client, "service/sticky:80", f"near as {client}", f"far as {client}", sticky=True)
            for client in ("here", "away", "guest")
        ],
    ),
    Scenario(
        "without endpoints a service is refused",
        service("nobody", "app: nobody", "type: NodePort", "nodePort: 31081"),
        [
            ask("here", "service/nobody:80", "refused"),
            ask("here", "node/node-1:31081", "refused"),
            ask("here", "node/node-2:31081", "refused"),
            ask("machine", "node/node-2:31081", "refused"),
        ],
    ),
    Scenario(
        "pods that are not ready are no endpoints, unless they are wanted",
        service("strict", "app: unready")
        + service("lenient", "app: unready", "publishNotReadyAddresses: true"),
        [
            ask("far", "service/strict:80", "refused"),
            ask("far", "service/lenient:80", "unready as far"),
            ask("far", "pod/unready:8080", "unready as far"),
        ],
    ),
    Scenario(
        "with the internal policy Local only endpoints of the own node answer",
        service("inside", "app: far", "internalTrafficPolicy: Local"),
        [
            ask("here", "service/inside:80", "timeout"),
            ask("away", "service/inside:80", "far as away"),
        ],
    ),
    Scenario(
        "with the external policy Local a node leads to its own endpoints alone, and knows clients",
        service(
            "outside", "app: far", "type: NodePort, externalTrafficPolicy: Local", "nodePort: 31082"
        ),
        [
            ask("here", "service/outside:80", "far as here"),
            ask("here", "node/node-1:31082", "far as here"),
            ask("away", "node/node-2:31082", "far as away"),
            ask("here", "node/node-2:31082", "far as node-1"),
            ask("away", "node/node-1:31082", "timeout"),
            # A real socket that is open accepts: where nobody would answer there is none.
            ask("machine", "node/node-1:31082", "refused"),
            ask("machine", "node/node-2:31082", "far as machine"),
        ],
    ),
    Scenario(
        "pods that end serve where nobody else does, and give way where somebody does",
        service("last", "app: ending") + service("succeeded", "pair: near"),
        [
            ask("away", "service/last:80", "ending as away"),
            ask("away", "service/succeeded:80", "here as away"),
            ask("away", "pod/ending-too:8080", "ending-too as away"),
        ],
        leaving=("ending", "ending-too"),
    ),
)
"""What is tried at once, for nothing of it disturbs the rest."""

BY_ITSELF: tuple[Scenario, ...] = (
    Scenario(
        "nobody may enter",
        policy("podSelector: {matchLabels: {app: far}}, policyTypes: [Ingress]"),
        [
            ask("here", "pod/far:8080", "timeout"),
            ask("away", "pod/far:8080", "timeout"),
            ask("far", "pod/here:8080", "here as far"),
            ask("guest", "pod/near:8080", "near as guest"),
        ],
    ),
    Scenario(
        "a role of this namespace may enter, at a port, by a service as well",
        policy(
            "podSelector: {matchLabels: {role: server}}, ingress: [{from: [{podSelector: "
            "{matchLabels: {role: client}}}], ports: [{port: 8080}]}]"
        )
        + service("guarded", "app: far"),
        [
            ask("here", "pod/far:8080", "far as here"),
            ask("here", "service/guarded:80", "far as here"),
            ask("away", "pod/far:8080", "far as away"),
            ask("near", "pod/far:8080", "timeout"),
            ask("guest", "service/guarded:80", "timeout"),
            ask("here", "pod/far:9", "timeout"),
        ],
    ),
    Scenario(
        "another namespace may enter, and an address may not",
        policy(
            "podSelector: {matchLabels: {app: near}}, ingress: [{from: [{namespaceSelector: "
            "{matchLabels: {kubernetes.io/metadata.name: other}}}]}]"
        ),
        [
            ask("guest", "pod/near:8080", "near as guest"),
            ask("here", "pod/near:8080", "timeout"),
            ask("away", "pod/near:8080", "timeout"),
        ],
    ),
    Scenario(
        "one may leave to a role alone",
        policy(
            "podSelector: {matchLabels: {app: here}}, policyTypes: [Egress], egress: [{to: "
            "[{podSelector: {matchLabels: {app: far}}}]}]"
        )
        + service("goal", "app: far"),
        [
            ask("here", "pod/far:8080", "far as here"),
            ask("here", "service/goal:80", "far as here"),
            ask("here", "pod/near:8080", "timeout"),
            ask("here", "pod/away:8080", "timeout"),
            ask("away", "pod/here:8080", "here as away"),
        ],
    ),
    Scenario(
        "addresses may enter, but for some",
        policy(
            "podSelector: {matchLabels: {app: near}}, ingress: [{from: [{ipBlock: {cidr: "
            "10.244.0.0/16, except: [RANGE-OF-NODE-2]}}]}]"
        ),
        [
            ask("here", "pod/near:8080", "near as here"),
            ask("away", "pod/near:8080", "timeout"),
        ],
    ),
)
"""What is tried alone."""


def manifests(server: str, client: str) -> str:
    """The manifests of all pods; `server` and `client` are their containers, YAML in one line
    without braces around.
    """
    return "{apiVersion: v1, kind: Namespace, metadata: {name: other}}\n" + "".join(
        f"---\n{{apiVersion: v1, kind: Pod, metadata: {_meta(pod)}, spec: {{nodeName: {pod.node}, "
        f"terminationGracePeriodSeconds: {pod.lingers + 1}, {_gate(pod)} containers: ["
        f"{{name: client, {client}}}, {{name: server, {server}{_farewell(pod)}}}]}}}}\n"
        for pod in PODS
    )


def _meta(pod: Pod) -> str:
    labels = ", ".join(
        f"{key}: {value}" for key, value in ({"app": pod.name} | dict(pod.labels)).items()
    )
    return f"{{name: {pod.name}, namespace: {pod.namespace}, labels: {{{labels}}}}}"


def _gate(pod: Pod) -> str:
    return "" if pod.ready else "readinessGates: [{conditionType: example.com/never}],"


def _farewell(pod: Pod) -> str:
    return f", lifecycle: {{preStop: {{sleep: {{seconds: {pod.lingers}}}}}}}" * bool(pod.lingers)
