from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Protocol(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROTOCOL_UNSPECIFIED: _ClassVar[Protocol]
    TCP: _ClassVar[Protocol]
    UDP: _ClassVar[Protocol]
    SCTP: _ClassVar[Protocol]

class TrafficPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAFFIC_POLICY_UNSPECIFIED: _ClassVar[TrafficPolicy]
    CLUSTER: _ClassVar[TrafficPolicy]
    LOCAL: _ClassVar[TrafficPolicy]
PROTOCOL_UNSPECIFIED: Protocol
TCP: Protocol
UDP: Protocol
SCTP: Protocol
TRAFFIC_POLICY_UNSPECIFIED: TrafficPolicy
CLUSTER: TrafficPolicy
LOCAL: TrafficPolicy

class ServicesState(_message.Message):
    __slots__ = ("instance", "generation")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    instance: str
    generation: int
    def __init__(self, instance: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...

class ServicePort(_message.Message):
    __slots__ = ("key", "namespace", "name", "port_name", "protocol", "cluster_ips", "port", "node_port", "external_ips", "load_balancer_ips", "load_balancer_source_ranges", "affinity_seconds", "internal_policy", "external_policy", "health_check_node_port", "endpoints")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PORT_NAME_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_IPS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    NODE_PORT_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_IPS_FIELD_NUMBER: _ClassVar[int]
    LOAD_BALANCER_IPS_FIELD_NUMBER: _ClassVar[int]
    LOAD_BALANCER_SOURCE_RANGES_FIELD_NUMBER: _ClassVar[int]
    AFFINITY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    INTERNAL_POLICY_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_POLICY_FIELD_NUMBER: _ClassVar[int]
    HEALTH_CHECK_NODE_PORT_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    key: str
    namespace: str
    name: str
    port_name: str
    protocol: Protocol
    cluster_ips: _containers.RepeatedScalarFieldContainer[str]
    port: int
    node_port: int
    external_ips: _containers.RepeatedScalarFieldContainer[str]
    load_balancer_ips: _containers.RepeatedScalarFieldContainer[str]
    load_balancer_source_ranges: _containers.RepeatedScalarFieldContainer[str]
    affinity_seconds: int
    internal_policy: TrafficPolicy
    external_policy: TrafficPolicy
    health_check_node_port: int
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    def __init__(self, key: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., port_name: _Optional[str] = ..., protocol: _Optional[_Union[Protocol, str]] = ..., cluster_ips: _Optional[_Iterable[str]] = ..., port: _Optional[int] = ..., node_port: _Optional[int] = ..., external_ips: _Optional[_Iterable[str]] = ..., load_balancer_ips: _Optional[_Iterable[str]] = ..., load_balancer_source_ranges: _Optional[_Iterable[str]] = ..., affinity_seconds: _Optional[int] = ..., internal_policy: _Optional[_Union[TrafficPolicy, str]] = ..., external_policy: _Optional[_Union[TrafficPolicy, str]] = ..., health_check_node_port: _Optional[int] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("address", "port", "node_name", "local", "ready", "serving", "terminating", "internal", "external")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_FIELD_NUMBER: _ClassVar[int]
    LOCAL_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    TERMINATING_FIELD_NUMBER: _ClassVar[int]
    INTERNAL_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_FIELD_NUMBER: _ClassVar[int]
    address: str
    port: int
    node_name: str
    local: bool
    ready: bool
    serving: bool
    terminating: bool
    internal: bool
    external: bool
    def __init__(self, address: _Optional[str] = ..., port: _Optional[int] = ..., node_name: _Optional[str] = ..., local: _Optional[bool] = ..., ready: _Optional[bool] = ..., serving: _Optional[bool] = ..., terminating: _Optional[bool] = ..., internal: _Optional[bool] = ..., external: _Optional[bool] = ...) -> None: ...

class ReplaceServicesRequest(_message.Message):
    __slots__ = ("services",)
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ServicePort]
    def __init__(self, services: _Optional[_Iterable[_Union[ServicePort, _Mapping]]] = ...) -> None: ...

class UpdateServicesRequest(_message.Message):
    __slots__ = ("expected", "set", "removed")
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    expected: ServicesState
    set: _containers.RepeatedCompositeFieldContainer[ServicePort]
    removed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, expected: _Optional[_Union[ServicesState, _Mapping]] = ..., set: _Optional[_Iterable[_Union[ServicePort, _Mapping]]] = ..., removed: _Optional[_Iterable[str]] = ...) -> None: ...

class UpdateServicesResponse(_message.Message):
    __slots__ = ("applied", "state")
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    applied: bool
    state: ServicesState
    def __init__(self, applied: _Optional[bool] = ..., state: _Optional[_Union[ServicesState, _Mapping]] = ...) -> None: ...

class GetServiceRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: str
    def __init__(self, key: _Optional[str] = ...) -> None: ...

class GetServiceResponse(_message.Message):
    __slots__ = ("service", "state")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    service: ServicePort
    state: ServicesState
    def __init__(self, service: _Optional[_Union[ServicePort, _Mapping]] = ..., state: _Optional[_Union[ServicesState, _Mapping]] = ...) -> None: ...

class ListServicesRequest(_message.Message):
    __slots__ = ("namespace",)
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    def __init__(self, namespace: _Optional[str] = ...) -> None: ...

class ListServicesResponse(_message.Message):
    __slots__ = ("services", "state")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ServicePort]
    state: ServicesState
    def __init__(self, services: _Optional[_Iterable[_Union[ServicePort, _Mapping]]] = ..., state: _Optional[_Union[ServicesState, _Mapping]] = ...) -> None: ...

class WatchServicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
