"""Variables, Services, names and resolvers: what a container is told."""

import pytest

from cluster.kubelet import downward
from cluster.kubelet.environment import expansion, hostnames, resolvers, services, variables
from cluster.kubelet.environment.resolvers import Resolver
from cluster.kubelet.volumes.references import Reference, of_environment

POD = {"metadata": {"name": "web-0", "namespace": "ns", "uid": "u"}, "spec": {}}
KNOWN = {
    Reference("configmaps", "ns", "conf"): {"data": {"A": "1", "b.c": "2", "bad=key": "x"}},
    Reference("secrets", "ns", "sec"): {"data": {"S": "aGlkZGVu"}},
}


def made(*env, env_from=(), sources=None):
    container = {"name": "c", "env": list(env), "envFrom": list(env_from)}
    return variables.make(POD, container, sources or variables.Sources(KNOWN))


def key(name, kind, of, key, **more):
    return {"name": name, "valueFrom": {f"{kind}KeyRef": {"name": of, "key": key, **more}}}


def test_variables_come_from_all_that_they_may_come_from():
    env_from = [
        {"configMapRef": {"name": "conf"}, "prefix": "P_"},
        {"secretRef": {"name": "sec"}},
        {"configMapRef": {"name": "none", "optional": True}},
    ]
    node = downward.Node(("10.0.0.9",), ("192.0.2.1",), (("cpu", "4"),))
    sources = variables.Sources(KNOWN, {"X_SERVICE_HOST": "10.96.0.7", "S": "of a service"}, node)
    found, skipped = made(
        {"name": "URL", "value": "$(X_SERVICE_HOST)/$(P_A)/$(S)/$(NONE)/$$(S)"},
        key("K", "configMap", "conf", "A"),
        key("O", "secret", "sec", "none", optional=True),
        key("Q", "secret", "none", "none", optional=True),
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "E"},
        env_from=env_from,
        sources=sources,
    )
    assert found == {
        "X_SERVICE_HOST": "10.96.0.7", "P_A": "1", "P_b.c": "2", "S": "hidden",
        "URL": "10.96.0.7/1/hidden/$(NONE)/$(S)", "K": "1", "IP": "10.0.0.9", "CPU": "4", "E": "",
    }  # fmt: skip
    assert [one.message for one in skipped] == [
        "Keys [P_bad=key] from the EnvFrom configMap ns/conf were skipped since they are "
        "considered invalid environment variable names."
    ]


@pytest.mark.parametrize(
    ("strict", "left_out"), [(True, ("1st", "bad=key")), (False, ("bad=key",))]
)
def test_names_are_held_to_the_rule_of_the_version(strict, left_out):
    known = {Reference("configmaps", "ns", "c"): {"data": {"1st": "", "bad=key": "", "ok": ""}}}
    sources = variables.Sources(known, strict_names=strict)
    _, skipped = made(env_from=[{"configMapRef": {"name": "c"}}], sources=sources)
    assert [one.names for one in skipped] == [left_out]


@pytest.mark.parametrize(
    ("variable", "why"),
    [
        (key("K", "configMap", "none", "A"), 'configmap "none" not found'),
        (key("K", "secret", "none", "A"), 'secret "none" not found'),
        (key("K", "configMap", "conf", "X"), "couldn't find key X in ConfigMap ns/conf"),
        (key("K", "secret", "sec", "X"), "couldn't find key X in Secret ns/sec"),
    ],
)
def test_a_missing_source_is_told(variable, why):
    with pytest.raises(variables.Wrong) as error:
        made(variable)
    assert str(error.value) == why


def test_variables_of_a_file_in_a_volume():
    files = {("v", "env"): b"# no\nA='one two'\n B = 2\nC\n"}
    sources = variables.Sources(read=lambda volume, path: files.get((volume, path)))

    def of(path, name, **more):
        asked = {"volumeName": "v", "path": path, "key": name, **more}
        return {"name": name, "valueFrom": {"fileKeyRef": asked}}

    found, _ = made(of("env", "A"), of("env", "B"), of("no", "D", optional=True), sources=sources)
    assert found == {"A": "one two", "B": "2"}
    with pytest.raises(variables.Wrong, match="key C not found in file env"):
        made(of("env", "C"), sources=sources)


def test_what_variables_refer_to_is_listed_once():
    container = {
        "env": [key("a", "configMap", "conf", "A"), key("b", "configMap", "conf", "B")],
        "envFrom": [{"secretRef": {"name": "sec"}}],
    }
    assert of_environment("ns", container) == [
        Reference("secrets", "ns", "sec"),
        Reference("configmaps", "ns", "conf"),
    ]


def test_a_path_has_only_known_names():
    assert expansion.expand_known("a/$(POD)", {"POD": "p"}) == "a/p"
    with pytest.raises(ValueError, match="NONE, MORE"):
        expansion.expand_known("$(NONE)/$(MORE)", {})


def test_services_are_told_of_as_docker_links_were():
    service = {
        "metadata": {"name": "my-db", "namespace": "ns"},
        "spec": {
            "clusterIP": "fd00::1",
            "ports": [{"port": 5432, "name": "sql-tls"}, {"port": 53, "protocol": "UDP"}],
        },
    }
    headless = {"metadata": {"name": "h"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}
    assert services.variables([service, headless]) == {
        "MY_DB_SERVICE_HOST": "fd00::1",
        "MY_DB_SERVICE_PORT": "5432",
        "MY_DB_PORT": "tcp://[fd00::1]:5432",
        "MY_DB_SERVICE_PORT_SQL_TLS": "5432",
        "MY_DB_PORT_5432_TCP": "tcp://[fd00::1]:5432",
        "MY_DB_PORT_5432_TCP_PROTO": "tcp",
        "MY_DB_PORT_5432_TCP_PORT": "5432",
        "MY_DB_PORT_5432_TCP_ADDR": "fd00::1",
        "MY_DB_PORT_53_UDP": "udp://[fd00::1]:53",
        "MY_DB_PORT_53_UDP_PROTO": "udp",
        "MY_DB_PORT_53_UDP_PORT": "53",
        "MY_DB_PORT_53_UDP_ADDR": "fd00::1",
    }


@pytest.mark.parametrize(
    ("spec", "shown", "line"),
    [
        ({}, "web-0", "10.0.0.9\tweb-0"),
        ({"hostname": "h"}, "h", "10.0.0.9\th"),
        ({"hostname": "h", "subdomain": "s"}, "h", "10.0.0.9\th.s.ns.svc.cluster.local\th"),
        (
            {"subdomain": "s", "setHostnameAsFQDN": True},
            "web-0.s.ns.svc.cluster.local",
            "10.0.0.9\tweb-0.s.ns.svc.cluster.local\tweb-0",
        ),
        ({"setHostnameAsFQDN": True}, "web-0", "10.0.0.9\tweb-0"),
    ],
)
def test_a_pod_has_a_name(spec, shown, line):
    pod = {**POD, "spec": spec}
    assert hostnames.shown(pod, "cluster.local") == shown
    hosts = hostnames.hosts_file(pod, ["10.0.0.9"], "cluster.local", "node-1").decode()
    assert hosts.splitlines()[-1] == line


def test_long_names_are_cut_and_too_long_ones_refused():
    pod = {"metadata": {"name": f"{'a' * 62}-{'b' * 9}", "namespace": "ns"}, "spec": {}}
    assert hostnames.shown(pod, "x") == "a" * 62
    pod["spec"] = {"subdomain": "s", "setHostnameAsFQDN": True}
    with pytest.raises(ValueError, match=r"too long \(64 characters is the max, 73 "):
        hostnames.shown(pod, "x")


def test_aliases_are_added_to_the_hosts():
    aliases = [{"ip": "1.2.3.4", "hostnames": ["a", "b"]}]
    pod = {**POD, "spec": {"hostAliases": aliases, "hostNetwork": True}}
    hosts = hostnames.hosts_file(pod, [], "cluster.local", "node-1").decode()
    assert hosts.startswith("# Kubernetes-managed hosts file (host network).\n")
    assert hosts.endswith("\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")


NODE = Resolver(("9.9.9.9",), ("example.org",), ("rotate",))
IN_CLUSTER = Resolver(
    ("10.96.0.10",),
    ("ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org"),
    ("ndots:5",),
)


@pytest.mark.parametrize(
    ("spec", "resolver"),
    [
        ({}, IN_CLUSTER),
        ({"dnsPolicy": "Default"}, NODE),
        ({"dnsPolicy": "ClusterFirst", "hostNetwork": True}, NODE),
        ({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True}, IN_CLUSTER),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"]}}, Resolver(("1.1.1.1",))),
        (
            {
                "dnsPolicy": "Default",
                "dnsConfig": {
                    "nameservers": ["9.9.9.9", "1.1.1.1"],
                    "searches": ["a"],
                    "options": [{"name": "ndots", "value": "2"}, {"name": "rotate"}],
                },
            },
            Resolver(("9.9.9.9", "1.1.1.1"), ("example.org", "a"), ("rotate", "ndots:2")),
        ),
    ],
)
def test_a_resolver_follows_policy_and_config(spec, resolver):
    pod = {**POD, "spec": spec}
    said = resolvers.of(pod, ["10.96.0.10"], "cluster.local", NODE, "t")
    assert (said.resolver, said.warnings) == (resolver, ())


def test_what_does_not_fit_into_a_resolver_is_told():
    config = {"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"]}
    pod = {**POD, "spec": {"dnsPolicy": "None", "dnsConfig": config}}
    said = resolvers.of(pod, [], "cluster.local", NODE, "t")
    assert said.resolver.servers == ("1.1.1.1", "2.2.2.2", "3.3.3.3")
    assert said.warnings[0][1].endswith("line is: 1.1.1.1 2.2.2.2 3.3.3.3")
    said = resolvers.of(POD, [], "cluster.local", NODE, "web-0_ns(u)")
    assert said.resolver == NODE
    assert said.warnings[0][0] == "MissingClusterDNS"


def test_a_resolv_conf_is_read():
    text = "# x\nnameserver 1.1.1.1\nsearch a.org. b\noptions ndots:1 ndots:3\nnameserver 2.2.2.2\n"
    assert resolvers.parse(text) == Resolver(("1.1.1.1", "2.2.2.2"), ("a.org", "b"), ("ndots:3",))
