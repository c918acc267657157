"""Reads a cluster file into a `topology.Topology`; every error names file, line and field.

    apiVersion: kubemu.dev/v1alpha1
    kind: Cluster
    nodes:
    - {count: 3, cpu: 8, memory: 32Gi, zones: [a, b, c]}

docs/operations.md describes every field.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from cluster.api import marked_yaml, metadata, quantity, schema
from cluster.api.marked_yaml import Section
from cluster.launcher import topology

_MOST_NODES = 10_000
_MOST_SERVERS = 9
_MOST_MEMBERS = 9
_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


FlagCheck = Callable[[str, str, str], Iterable[str]]
"""Takes component, flag and value, and gives complaints about them."""


def _any_flag(_component: str, _flag: str, _value: str) -> Iterable[str]:
    return ()


def load(path: Path, flag_check: FlagCheck = _any_flag) -> topology.Topology:
    """Read the file at `path`. marked_yaml.InvalidFile; OSError where it cannot be read."""
    return parse(path.read_text(encoding="utf-8"), str(path), flag_check)


def parse(text: str, file: str, flag_check: FlagCheck = _any_flag) -> topology.Topology:
    """Read a cluster file's text; `file` is its name in messages. marked_yaml.InvalidFile."""
    problems: list[marked_yaml.Problem] = []
    top = marked_yaml.read(text, file, problems)
    found = _topology(top, file, flag_check)
    top.finish()
    if problems:
        raise marked_yaml.InvalidFile(problems)
    return found


def _topology(top: Section, file: str, flag_check: FlagCheck) -> topology.Topology:
    top.take_text("apiVersion", check=_exactly(topology.API_VERSION))
    top.take_text("kind", check=_exactly(topology.KIND))
    for field in ("apiVersion", "kind"):
        if field not in top:
            top.complain("is missing", field)
    ports = top.take_section("ports")
    network = top.take_section("network")
    plane, members = _control_plane(top)
    found = topology.Topology(
        name=top.take_text("name", topology.DEFAULT_NAME, metadata.dns1123_label),
        kubernetes_version=top.take_text(
            "kubernetesVersion", topology.KUBERNETES_VERSION, _version
        ),
        api_port=_port(ports, "api"),
        grpc_port=_port(ports, "grpc"),
        registry_port=_port(ports, "registry"),
        registry=top.take_truth("registry", default=True),
        driver=top.take_text("driver", "sim", _one_of(*topology.DRIVERS)),
        pod_cidr=_cidr(network, "podCIDR", topology.Topology().pod_cidr),
        service_cidr=_cidr(network, "serviceCIDR", topology.Topology().service_cidr),
        network_backend=_backend(network),
        dns=top.take_truth("dns", default=True),
        apiservers=plane["apiservers"],
        schedulers=plane["schedulers"],
        controller_managers=plane["controllerManagers"],
        etcd_members=members,
        addons=_addons(top),
        nodes=_nodes(top),
        hollow=_hollow_groups(top),
        flags=_flags(top.take_section("flags"), flag_check),
        scheduler_config=_path(
            top, "schedulerConfig", file, partial(flag_check, "scheduler", "config")
        ),
        clocks=top.take_truth("clocks", default=False),
        image_scripts=_path(
            top, "imageScripts", file, partial(flag_check, "runtime", "image-scripts")
        ),
    )
    for section in (ports, network):
        if section is not None:
            section.finish()
    return found


def _control_plane(top: Section) -> tuple[dict[str, int], int]:
    """How many there are of each process of the control plane, and of etcd's members."""
    section, etcd = top.take_section("controlPlane"), top.take_section("etcd")
    found = dict.fromkeys(("apiservers", "schedulers", "controllerManagers"), 1)
    members = 0
    if section is not None:
        found = {field: section.take_number(field, 1, 1, _MOST_SERVERS) for field in found}
        section.finish()
    if etcd is not None:
        members = etcd.take_number("members", 1, 1, _MOST_MEMBERS)
        etcd.finish()
    if found["apiservers"] > 1 and not members:
        assert section is not None
        section.complain("several API servers need a store that they share: etcd", "apiservers")
        found["apiservers"] = 1
    return found, members


def _nodes(top: Section) -> tuple[topology.Node, ...]:
    if "nodes" not in top:
        top.take_sections("nodes")
        return () if "hollow" in top else topology.numbered(topology.DEFAULT_NODES)
    found: dict[str, topology.Node] = {}
    counts: dict[str, int] = {}
    for section in top.take_sections("nodes"):
        for node in _alike(section, counts):
            if node.name in found:
                section.complain(f"there is another node named {node.name}", "name")
            found[node.name] = node
    return tuple(found.values())


def _alike(section: Section, counts: dict[str, int]) -> Iterator[topology.Node]:
    """The nodes of one entry. `counts` continues the numbers of each prefix."""
    name = section.take_text("name", check=metadata.dns1123_subdomain)
    count = section.take_number("count", 1, 1, _MOST_NODES)
    prefix = section.take_text("prefix", "node", metadata.dns1123_label)
    if name and ("count" in section or "prefix" in section):
        section.complain("an entry has either a name, or a count and a prefix", "name")
        count = 1
    size, labels, taints = _size(section), _labels(section), _taints(section)
    zones = section.take_texts("zones", metadata.label_value)
    section.finish()
    for position in range(count):
        if not name:
            counts[prefix] = counts.get(prefix, 0) + 1
        zone = {topology.ZONE_LABEL: zones[position % len(zones)]} if zones else {}
        yield topology.Node(name or f"{prefix}-{counts[prefix]}", size, {**labels, **zone}, taints)


def _hollow_groups(top: Section) -> tuple[topology.HollowGroup, ...]:
    groups: dict[str, topology.HollowGroup] = {}
    for section in top.take_sections("hollow"):
        group = topology.HollowGroup(
            count=section.take_number("count", 1, 1, _MOST_NODES),
            prefix=section.take_text("prefix", "hollow", metadata.dns1123_label),
            size=_size(section),
            labels=_labels(section),
            zones=section.take_texts("zones", metadata.label_value),
            taints=_taints(section),
            per_process=section.take_number("perProcess", 1000, 1, _MOST_NODES),
        )
        section.finish()
        if group.prefix in groups:
            section.complain(f"there is another hollow group {group.prefix}", "prefix")
        groups[group.prefix] = group
    return tuple(groups.values())


def _size(section: Section) -> topology.Size:
    default = topology.Size()
    return topology.Size(
        cpu=section.take_text("cpu", default.cpu, _amount),
        memory=section.take_text("memory", default.memory, _amount),
        pods=section.take_number("pods", default.pods, 1, 100_000),
    )


def _labels(section: Section) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    inner = section.take_section("labels")
    if inner is not None:
        labels = inner.take_all_texts()
        for key, value in labels.items():
            for complaint in (*metadata.qualified_name(key), *metadata.label_value(value)):
                inner.complain(complaint, key)
    for field, label in (("region", topology.REGION_LABEL), ("zone", topology.ZONE_LABEL)):
        value = section.take_text(field, check=metadata.label_value)
        if value:
            labels[label] = value
    return labels


def _taints(section: Section) -> tuple[str, ...]:
    found = []
    for taint in section.take_sections("taints"):
        key = taint.take_text("key", check=metadata.qualified_name)
        value = taint.take_text("value", check=metadata.label_value)
        effect = taint.take_text("effect", check=_one_of(*_TAINT_EFFECTS))
        for field in ("key", "effect"):
            if field not in taint:
                taint.complain("is missing", field)
        taint.finish()
        found.append(f"{key}={value}:{effect}" if value else f"{key}:{effect}")
    return tuple(found)


def _flags(section: Section | None, check: FlagCheck) -> dict[str, dict[str, str]]:
    """Flags by component, without dashes in front."""
    if section is None:
        return {}
    inner = {name: section.take_section(name) for name in topology.COMPONENTS}
    section.finish()
    return {name: _given(name, flags, check) for name, flags in inner.items() if flags is not None}


def _given(component: str, section: Section, check: FlagCheck) -> dict[str, str]:
    found = {}
    for key, value in section.take_all_texts().items():
        flag = key.removeprefix("--")
        for complaint in check(component, flag, value):
            section.complain(complaint, key)
        found[flag] = value
    return found


def _path(top: Section, field: str, file: str, check: Callable[[str], Iterable[str]]) -> str:
    """The path of another file: relative to the cluster file, where it is."""
    text = top.take_text(field)
    if not text:
        return ""
    path = str(Path(file).absolute().parent / Path(text).expanduser())
    for complaint in check(path):
        top.complain(complaint, field)
    return path


def _port(section: Section | None, field: str) -> int:
    return section.take_number(field, 0, 1, 65535) if section is not None else 0


def _cidr(section: Section | None, field: str, default: str) -> str:
    return section.take_text(field, default, _network) if section is not None else default


def _addons(top: Section) -> tuple[str, ...]:
    return tuple(dict.fromkeys(top.take_texts("addons", _one_of(*topology.ADDONS))))


def _backend(section: Section | None) -> str:
    usual = topology.Topology().network_backend
    if section is None:
        return usual
    return section.take_text("backend", usual, _one_of(*topology.BACKENDS))


def _network(text: str) -> Iterator[str]:
    try:
        ipaddress.IPv4Network(text)
    except ValueError as error:
        yield f"must be a network like 10.244.0.0/16 ({error})"


def _amount(text: str) -> Iterator[str]:
    try:
        if quantity.parse(text) <= 0:
            yield "must be more than nothing"
    except ValueError as error:
        yield str(error)


def _version(text: str) -> Iterator[str]:
    if ".".join(text.removeprefix("v").split(".")[:2]) not in schema.VERSIONS:
        yield f"must be a Kubernetes version from {schema.VERSIONS[0]} to {schema.VERSIONS[-1]}"


def _exactly(wanted: str) -> marked_yaml.Check:
    return lambda text: () if text == wanted else (f"must be {wanted}",)


def _one_of(*wanted: str) -> marked_yaml.Check:
    return lambda text: () if text in wanted else (f"must be one of {', '.join(wanted)}",)
