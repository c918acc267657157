"""What requests ask for, and what they are told where that makes no sense."""

from typing import Any

import pytest

from cluster.api import errors
from cluster.apiserver.streaming import endpoints, pods
from cluster.streams import options


def test_a_command_is_read_word_by_word() -> None:
    query = "command=sh&command=-c&command=echo%20%241&container=c&stdin=true&stdout=1&tty=false"
    found = options.exec_(options.values(query))
    assert found == options.Command(
        "c", stdin=True, stdout=True, stderr=False, tty=False, command=("sh", "-c", "echo $1")
    )


def test_a_terminal_has_no_stderr_of_its_own() -> None:
    found = options.attach(options.values("stdout=true&stderr=true&tty=true"))
    assert (found.stdout, found.stderr, found.tty) == (True, False, True)


LOGS = [
    ("", options.Log()),
    ("follow=true&previous=1&timestamps=True&container=a",
     options.Log("a", follow=True, previous=True, timestamps=True)),
    ("tailLines=0&limitBytes=5", options.Log(tail_lines=0, limit_bytes=5)),
    ("sinceSeconds=3", options.Log(since_seconds=3)),
    ("sinceTime=2026-11-21T05:00:00Z", options.Log(since_time="2026-11-21T05:00:00Z")),
    ("stream=Stderr&insecureSkipTLSVerifyBackend=true", options.Log(stream="Stderr")),
]  # fmt: skip


@pytest.mark.parametrize(("query", "wanted"), LOGS)
def test_every_option_of_a_log(query: str, wanted: options.Log) -> None:
    assert options.log(options.values(query), "web") == wanted


REFUSED = [
    ("exec_", "command=ls", "you must specify at least 1 of stdin, stdout, stderr"),
    ("exec_", "stdout=true", "at least one command"),
    ("attach", "stdout=false&stderr=0", "you must specify at least 1 of stdin, stdout, stderr"),
    ("attach", "stderr=1&tty=1", "you must specify at least 1 of stdin, stdout, stderr"),
    ("ports", "", 'query parameter "ports" is required'),
    ("ports", "ports=", 'query parameter "ports" cannot be empty'),
    ("ports", "ports=80,x", 'unable to parse "80,x" as a port: strconv.ParseUint: parsing "x": '
     "invalid syntax"),
    ("ports", "ports=65536", "value out of range"),
    ("ports", "ports=0", 'port "0" must be > 0'),
    ("ports", "ports=" + ",".join(["80"] * 129), "at most 128 ports"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "query", "words"), REFUSED)
def test_requests_without_sense_are_bad(read: str, query: str, words: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        getattr(options, read)(options.values(query))
    assert words in caught.value.message


INVALID = [
    ("tailLines=-1", "tailLines: Invalid value: -1: must be greater than or equal to 0"),
    ("limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
    ("sinceSeconds=0", "sinceSeconds: Invalid value: 0: must be greater than 0"),
    ("sinceSeconds=1&sinceTime=2026-11-21T05:00:00Z", "Forbidden: at most one of `sinceTime` or"),
    ("stream=both", 'stream: Unsupported value: "both": supported values: "All", "Stdout"'),
    ("stream=Stdout&tailLines=1", "mutually exclusive"),
    ("sinceTime=yesterday", "sinceTime: Invalid value"),
]


@pytest.mark.parametrize(("query", "words"), INVALID)
def test_invalid_log_options(query: str, words: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        options.log(options.values(query), "web")
    assert words in caught.value.message
    assert caught.value.message.startswith('PodLogOptions "web" is invalid: ')


def pod(*names: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web-0", "namespace": "default", "uid": "u"},
        "spec": {"containers": [{"name": name} for name in names]} | spec,
    }


def test_the_only_container_needs_no_name() -> None:
    assert pods.container(pod("a"), "") == "a"
    assert pods.container(pod("a", initContainers=[{"name": "i"}]), "i") == "i"


WRONG = [
    (pod("a", "b"), "", "a container name must be specified for pod web-0, choose one of: [a b]"),
    (pod("a", "b", initContainers=[{"name": "i"}]), "",
     "a container name must be specified for pod web-0, choose one of: [i a b]"),
    (pod("a"), "x", "container x is not valid for pod web-0"),
]  # fmt: skip


@pytest.mark.parametrize(("pod", "wanted", "words"), WRONG)
def test_containers_that_are_none(pod: dict[str, Any], wanted: str, words: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        pods.container(pod, wanted)
    assert caught.value.message == words


def test_a_pod_without_a_node() -> None:
    with pytest.raises(errors.BadRequest, match="pod web-0 does not have a host assigned"):
        pods.node_name(pod("a"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web", pods.Request("", "web", "")),
        ("web:80", pods.Request("", "web", "80")),
        ("https:web:", pods.Request("https", "web", "")),
        ("http:web:http", pods.Request("http", "web", "http")),
        ("ftp:web:1", None),
        (":web", None),
        ("a:b:c:d", None),
    ],
)
def test_names_with_schemes_and_ports(text: str, found: pods.Request | None) -> None:
    assert pods.request(text) == found


@pytest.mark.parametrize("address", ["", "127.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "x"])
def test_addresses_that_no_proxy_goes_to(address: str) -> None:
    with pytest.raises(errors.BadRequest, match="address not allowed"):
        pods.address({"status": {"podIP": address}})


def slice_of(*endpoints: dict[str, Any], port: str = "http") -> dict[str, Any]:
    return {"ports": [{"name": port, "port": 8080}], "endpoints": list(endpoints)}


def endpoint(pod: str, *, ready: bool | None = True, kind: str = "Pod") -> dict[str, Any]:
    target = {"kind": kind, "name": pod, "namespace": "default", "uid": "u"}
    return {"addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "targetRef": target}


def test_only_ready_pods_with_the_port_serve() -> None:
    slices = [
        slice_of(endpoint("a"), endpoint("b", ready=False), endpoint("c", ready=None)),
        slice_of(endpoint("d"), port="other"),
        slice_of(endpoint("e", kind="Node"), {"addresses": ["1.2.3.4"]}),
    ]
    found = endpoints.ready(slices, "default", "http")
    assert found == [endpoints.Endpoint("a", "u", 8080), endpoints.Endpoint("c", "u", 8080)]


def test_a_port_of_a_service_by_number_or_name() -> None:
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    assert endpoints.port_name(service, "80") == "http"
    assert endpoints.port_name(service, "web") == "web"
    with pytest.raises(errors.ServiceUnavailable, match='no service port 81 found for service "s"'):
        endpoints.port_name(service, "81")
