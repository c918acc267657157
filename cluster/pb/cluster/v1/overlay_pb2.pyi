from cluster.pb.cluster.v1 import dataplane_pb2 as _dataplane_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Backend(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BACKEND_UNSPECIFIED: _ClassVar[Backend]
    VXLAN: _ClassVar[Backend]
    ROUTED: _ClassVar[Backend]
    MESH: _ClassVar[Backend]
BACKEND_UNSPECIFIED: Backend
VXLAN: Backend
ROUTED: Backend
MESH: Backend

class OverlayState(_message.Message):
    __slots__ = ("instance", "generation", "configured")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    instance: str
    generation: int
    configured: bool
    def __init__(self, instance: _Optional[str] = ..., generation: _Optional[int] = ..., configured: _Optional[bool] = ...) -> None: ...

class OverlaySettings(_message.Message):
    __slots__ = ("backend", "network", "cluster_network", "address", "vni", "mtu", "node", "service_networks")
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_NETWORK_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    VNI_FIELD_NUMBER: _ClassVar[int]
    MTU_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_NETWORKS_FIELD_NUMBER: _ClassVar[int]
    backend: Backend
    network: str
    cluster_network: str
    address: str
    vni: int
    mtu: int
    node: str
    service_networks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, backend: _Optional[_Union[Backend, str]] = ..., network: _Optional[str] = ..., cluster_network: _Optional[str] = ..., address: _Optional[str] = ..., vni: _Optional[int] = ..., mtu: _Optional[int] = ..., node: _Optional[str] = ..., service_networks: _Optional[_Iterable[str]] = ...) -> None: ...

class ConfigureRequest(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: OverlaySettings
    def __init__(self, settings: _Optional[_Union[OverlaySettings, _Mapping]] = ...) -> None: ...

class ConfigureResponse(_message.Message):
    __slots__ = ("state", "vtep")
    STATE_FIELD_NUMBER: _ClassVar[int]
    VTEP_FIELD_NUMBER: _ClassVar[int]
    state: OverlayState
    vtep: Vtep
    def __init__(self, state: _Optional[_Union[OverlayState, _Mapping]] = ..., vtep: _Optional[_Union[Vtep, _Mapping]] = ...) -> None: ...

class Vtep(_message.Message):
    __slots__ = ("mac", "host", "vxlan_port", "cable_port", "mtu", "turbo")
    MAC_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    VXLAN_PORT_FIELD_NUMBER: _ClassVar[int]
    CABLE_PORT_FIELD_NUMBER: _ClassVar[int]
    MTU_FIELD_NUMBER: _ClassVar[int]
    TURBO_FIELD_NUMBER: _ClassVar[int]
    mac: bytes
    host: str
    vxlan_port: int
    cable_port: int
    mtu: int
    turbo: bool
    def __init__(self, mac: _Optional[bytes] = ..., host: _Optional[str] = ..., vxlan_port: _Optional[int] = ..., cable_port: _Optional[int] = ..., mtu: _Optional[int] = ..., turbo: _Optional[bool] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("name", "address", "host", "vxlan_port", "cable_port", "vni", "vtep_mac", "network", "turbo")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    VXLAN_PORT_FIELD_NUMBER: _ClassVar[int]
    CABLE_PORT_FIELD_NUMBER: _ClassVar[int]
    VNI_FIELD_NUMBER: _ClassVar[int]
    VTEP_MAC_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    TURBO_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    host: str
    vxlan_port: int
    cable_port: int
    vni: int
    vtep_mac: bytes
    network: str
    turbo: bool
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., host: _Optional[str] = ..., vxlan_port: _Optional[int] = ..., cable_port: _Optional[int] = ..., vni: _Optional[int] = ..., vtep_mac: _Optional[bytes] = ..., network: _Optional[str] = ..., turbo: _Optional[bool] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("key", "namespace", "name", "addresses", "ingress", "egress", "ingress_rules", "egress_rules")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    INGRESS_FIELD_NUMBER: _ClassVar[int]
    EGRESS_FIELD_NUMBER: _ClassVar[int]
    INGRESS_RULES_FIELD_NUMBER: _ClassVar[int]
    EGRESS_RULES_FIELD_NUMBER: _ClassVar[int]
    key: str
    namespace: str
    name: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    ingress: bool
    egress: bool
    ingress_rules: _containers.RepeatedCompositeFieldContainer[PolicyRule]
    egress_rules: _containers.RepeatedCompositeFieldContainer[PolicyRule]
    def __init__(self, key: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ..., ingress: _Optional[bool] = ..., egress: _Optional[bool] = ..., ingress_rules: _Optional[_Iterable[_Union[PolicyRule, _Mapping]]] = ..., egress_rules: _Optional[_Iterable[_Union[PolicyRule, _Mapping]]] = ...) -> None: ...

class PolicyRule(_message.Message):
    __slots__ = ("everybody", "sets", "blocks", "every_port", "ports")
    EVERYBODY_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    EVERY_PORT_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    everybody: bool
    sets: _containers.RepeatedScalarFieldContainer[str]
    blocks: _containers.RepeatedCompositeFieldContainer[PolicyBlock]
    every_port: bool
    ports: _containers.RepeatedCompositeFieldContainer[PolicyPorts]
    def __init__(self, everybody: _Optional[bool] = ..., sets: _Optional[_Iterable[str]] = ..., blocks: _Optional[_Iterable[_Union[PolicyBlock, _Mapping]]] = ..., every_port: _Optional[bool] = ..., ports: _Optional[_Iterable[_Union[PolicyPorts, _Mapping]]] = ...) -> None: ...

class PolicyBlock(_message.Message):
    __slots__ = ("cidr",)
    CIDR_FIELD_NUMBER: _ClassVar[int]
    EXCEPT_FIELD_NUMBER: _ClassVar[int]
    cidr: str
    def __init__(self, cidr: _Optional[str] = ..., **kwargs) -> None: ...

class PolicyPorts(_message.Message):
    __slots__ = ("protocol", "first", "last")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    protocol: _dataplane_pb2.Protocol
    first: int
    last: int
    def __init__(self, protocol: _Optional[_Union[_dataplane_pb2.Protocol, str]] = ..., first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class AddressSet(_message.Message):
    __slots__ = ("key", "addresses")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    key: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ...) -> None: ...

class AddressSetChange(_message.Message):
    __slots__ = ("key", "added", "removed")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    key: str
    added: _containers.RepeatedScalarFieldContainer[str]
    removed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[str] = ..., added: _Optional[_Iterable[str]] = ..., removed: _Optional[_Iterable[str]] = ...) -> None: ...

class ReplaceOverlayRequest(_message.Message):
    __slots__ = ("instance", "peers", "sets", "policies")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    instance: str
    peers: _containers.RepeatedCompositeFieldContainer[Peer]
    sets: _containers.RepeatedCompositeFieldContainer[AddressSet]
    policies: _containers.RepeatedCompositeFieldContainer[Policy]
    def __init__(self, instance: _Optional[str] = ..., peers: _Optional[_Iterable[_Union[Peer, _Mapping]]] = ..., sets: _Optional[_Iterable[_Union[AddressSet, _Mapping]]] = ..., policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ...) -> None: ...

class UpdateOverlayRequest(_message.Message):
    __slots__ = ("expected", "set_peers", "removed_peers", "set_sets", "changed_sets", "removed_sets", "set_policies", "removed_policies")
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    SET_PEERS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_PEERS_FIELD_NUMBER: _ClassVar[int]
    SET_SETS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_SETS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_SETS_FIELD_NUMBER: _ClassVar[int]
    SET_POLICIES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_POLICIES_FIELD_NUMBER: _ClassVar[int]
    expected: OverlayState
    set_peers: _containers.RepeatedCompositeFieldContainer[Peer]
    removed_peers: _containers.RepeatedScalarFieldContainer[str]
    set_sets: _containers.RepeatedCompositeFieldContainer[AddressSet]
    changed_sets: _containers.RepeatedCompositeFieldContainer[AddressSetChange]
    removed_sets: _containers.RepeatedScalarFieldContainer[str]
    set_policies: _containers.RepeatedCompositeFieldContainer[Policy]
    removed_policies: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, expected: _Optional[_Union[OverlayState, _Mapping]] = ..., set_peers: _Optional[_Iterable[_Union[Peer, _Mapping]]] = ..., removed_peers: _Optional[_Iterable[str]] = ..., set_sets: _Optional[_Iterable[_Union[AddressSet, _Mapping]]] = ..., changed_sets: _Optional[_Iterable[_Union[AddressSetChange, _Mapping]]] = ..., removed_sets: _Optional[_Iterable[str]] = ..., set_policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ..., removed_policies: _Optional[_Iterable[str]] = ...) -> None: ...

class UpdateOverlayResponse(_message.Message):
    __slots__ = ("applied", "state")
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    applied: bool
    state: OverlayState
    def __init__(self, applied: _Optional[bool] = ..., state: _Optional[_Union[OverlayState, _Mapping]] = ...) -> None: ...

class ListOverlayRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListOverlayResponse(_message.Message):
    __slots__ = ("state", "settings", "vtep", "peers", "sets", "policies")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    VTEP_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    state: OverlayState
    settings: OverlaySettings
    vtep: Vtep
    peers: _containers.RepeatedCompositeFieldContainer[Peer]
    sets: _containers.RepeatedCompositeFieldContainer[AddressSet]
    policies: _containers.RepeatedCompositeFieldContainer[Policy]
    def __init__(self, state: _Optional[_Union[OverlayState, _Mapping]] = ..., settings: _Optional[_Union[OverlaySettings, _Mapping]] = ..., vtep: _Optional[_Union[Vtep, _Mapping]] = ..., peers: _Optional[_Iterable[_Union[Peer, _Mapping]]] = ..., sets: _Optional[_Iterable[_Union[AddressSet, _Mapping]]] = ..., policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ...) -> None: ...

class WatchOverlayRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
