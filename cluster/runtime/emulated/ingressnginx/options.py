"""The command line of `nginx-ingress-controller`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.runtime.emulated.ingressnginx.model import Options

_FLAGS: Final = frozenset((
    "watch-ingress-without-class", "ingress-class-by-name", "update-status",
    "update-status-on-shutdown", "report-node-internal-ip-address", "enable-ssl-passthrough",
    "enable-metrics", "watch-namespace-selector", "deep-inspect", "enable-ssl-chain-completion",
    "disable-catch-all", "disable-svc-external-name", "dynamic-configuration-retries", "version",
    "enable-topology-aware-routing", "disable-leader-election", "disable-full-test",
    "disable-sync-events", "enable-annotation-validation", "report-status-classes", "logtostderr",
    "alsologtostderr", "profiling", "metrics-per-host", "enable-dynamic-certificates",
))  # fmt: skip
"""Those that need no value."""


@dataclass(slots=True)
class Settings:
    """What is said there."""

    model: Options = field(default_factory=Options)
    default: tuple[str, str] | None = None
    config: tuple[str, str] | None = None
    publish: tuple[str, str] | None = None
    addresses: tuple[str, ...] = ()
    election: str = "ingress-nginx-leader"
    certificate: tuple[str, str] | None = None
    http: int = 80
    https: int = 443
    healthz: int = 10254
    health_path: str = "/healthz"
    grace: float = 0.0
    webhook: int = 0
    webhook_certificate: str = ""
    webhook_key: str = ""
    update_status: bool = True
    clear_status: bool = True
    elects: bool = True
    events: bool = True
    version: bool = False


class Unknown(Exception):
    """A command line that is none; the message is pflag's."""


def read(argv: Sequence[str], env: Mapping[str, str]) -> Settings:
    """Read it. Unknown."""
    told: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not equals:
            value = "true" if name in _FLAGS or not words else words.pop(0)
        told[name] = value
    options = Options(
        told.get("controller-class", "k8s.io/ingress-nginx"),
        told.get("ingress-class", "nginx"),
        told.get("watch-ingress-without-class") == "true",
        told.get("ingress-class-by-name") == "true",
        told.get("watch-namespace", ""),
    )
    webhook = told.get("validating-webhook", "").rpartition(":")[2]
    return Settings(
        options,
        _place(told, "default-backend-service"),
        _place(told, "configmap"),
        _place(told, "publish-service"),
        tuple(filter(None, told.get("publish-status-address", "").split(","))),
        told.get("election-id", "ingress-nginx-leader"),
        _place(told, "default-ssl-certificate"),
        _port(told, "http-port", 80),
        _port(told, "https-port", 443),
        _port(told, "healthz-port", 10254),
        told.get("health-check-path", "/healthz"),
        float(_number(told, "shutdown-grace-period", 0)),
        int(webhook) if webhook.isdigit() and 0 < int(webhook[:6]) < 65536 else 0,
        told.get("validating-webhook-certificate", ""),
        told.get("validating-webhook-key", ""),
        told.get("update-status", "true") == "true",
        told.get("update-status-on-shutdown", "true") == "true",
        told.get("disable-leader-election") != "true",
        told.get("disable-sync-events") != "true",
        "version" in told,
    )


def _place(told: Mapping[str, str], name: str) -> tuple[str, str] | None:
    text = told.get(name, "")
    if not text:
        return None
    namespace, slash, base = text.partition("/")
    if not slash or not namespace or not base:
        raise Unknown(f"invalid format for {name} {text!r}: it is namespace/name")
    return namespace, base


def _port(told: Mapping[str, str], name: str, default: int) -> int:
    number = _number(told, name, default)
    if not 0 < number < 65536:
        raise Unknown(f'invalid argument "{number}" for "--{name}" flag: no port')
    return number


def _number(told: Mapping[str, str], name: str, default: int) -> int:
    text = told.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Unknown(
            f'invalid argument "{text}" for "--{name}" flag: strconv.ParseInt: parsing '
            f'"{text}": invalid syntax'
        )
    return int(text)
