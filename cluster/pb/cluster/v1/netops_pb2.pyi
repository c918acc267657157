from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CaptureRequest(_message.Message):
    __slots__ = ("interface", "filter", "snaplen", "count", "seconds")
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SNAPLEN_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    interface: str
    filter: str
    snaplen: int
    count: int
    seconds: float
    def __init__(self, interface: _Optional[str] = ..., filter: _Optional[str] = ..., snaplen: _Optional[int] = ..., count: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...

class CaptureResponse(_message.Message):
    __slots__ = ("frames", "dropped")
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[CapturedFrame]
    dropped: int
    def __init__(self, frames: _Optional[_Iterable[_Union[CapturedFrame, _Mapping]]] = ..., dropped: _Optional[int] = ...) -> None: ...

class CapturedFrame(_message.Message):
    __slots__ = ("time", "interface", "inbound", "length", "data")
    TIME_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    INBOUND_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    time: float
    interface: str
    inbound: bool
    length: int
    data: bytes
    def __init__(self, time: _Optional[float] = ..., interface: _Optional[str] = ..., inbound: _Optional[bool] = ..., length: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class ListRoutesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRoutesResponse(_message.Message):
    __slots__ = ("routes",)
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[NodeRoute]
    def __init__(self, routes: _Optional[_Iterable[_Union[NodeRoute, _Mapping]]] = ...) -> None: ...

class NodeRoute(_message.Message):
    __slots__ = ("destination", "gateway", "device", "onlink", "local", "node")
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    ONLINK_FIELD_NUMBER: _ClassVar[int]
    LOCAL_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    destination: str
    gateway: str
    device: str
    onlink: bool
    local: bool
    node: str
    def __init__(self, destination: _Optional[str] = ..., gateway: _Optional[str] = ..., device: _Optional[str] = ..., onlink: _Optional[bool] = ..., local: _Optional[bool] = ..., node: _Optional[str] = ...) -> None: ...

class ListNeighboursRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListNeighboursResponse(_message.Message):
    __slots__ = ("neighbours",)
    NEIGHBOURS_FIELD_NUMBER: _ClassVar[int]
    neighbours: _containers.RepeatedCompositeFieldContainer[NodeNeighbour]
    def __init__(self, neighbours: _Optional[_Iterable[_Union[NodeNeighbour, _Mapping]]] = ...) -> None: ...

class NodeNeighbour(_message.Message):
    __slots__ = ("address", "device", "mac", "state")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    address: str
    device: str
    mac: str
    state: str
    def __init__(self, address: _Optional[str] = ..., device: _Optional[str] = ..., mac: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...

class ListFdbRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFdbResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[FdbEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[FdbEntry, _Mapping]]] = ...) -> None: ...

class FdbEntry(_message.Message):
    __slots__ = ("mac", "device", "bridge", "destination", "permanent", "age_seconds")
    MAC_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    BRIDGE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    PERMANENT_FIELD_NUMBER: _ClassVar[int]
    AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    mac: str
    device: str
    bridge: str
    destination: str
    permanent: bool
    age_seconds: float
    def __init__(self, mac: _Optional[str] = ..., device: _Optional[str] = ..., bridge: _Optional[str] = ..., destination: _Optional[str] = ..., permanent: _Optional[bool] = ..., age_seconds: _Optional[float] = ...) -> None: ...

class ListConnectionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListConnectionsResponse(_message.Message):
    __slots__ = ("connections",)
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    connections: _containers.RepeatedCompositeFieldContainer[TrackedConnection]
    def __init__(self, connections: _Optional[_Iterable[_Union[TrackedConnection, _Mapping]]] = ...) -> None: ...

class TrackedConnection(_message.Message):
    __slots__ = ("protocol", "number", "seconds", "state", "original", "reply", "replied", "assured", "service")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    REPLIED_FIELD_NUMBER: _ClassVar[int]
    ASSURED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    protocol: str
    number: int
    seconds: float
    state: str
    original: ConnectionWay
    reply: ConnectionWay
    replied: bool
    assured: bool
    service: str
    def __init__(self, protocol: _Optional[str] = ..., number: _Optional[int] = ..., seconds: _Optional[float] = ..., state: _Optional[str] = ..., original: _Optional[_Union[ConnectionWay, _Mapping]] = ..., reply: _Optional[_Union[ConnectionWay, _Mapping]] = ..., replied: _Optional[bool] = ..., assured: _Optional[bool] = ..., service: _Optional[str] = ...) -> None: ...

class ConnectionWay(_message.Message):
    __slots__ = ("source", "source_port", "destination", "destination_port", "packets")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_PORT_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_PORT_FIELD_NUMBER: _ClassVar[int]
    PACKETS_FIELD_NUMBER: _ClassVar[int]
    source: str
    source_port: int
    destination: str
    destination_port: int
    packets: int
    def __init__(self, source: _Optional[str] = ..., source_port: _Optional[int] = ..., destination: _Optional[str] = ..., destination_port: _Optional[int] = ..., packets: _Optional[int] = ...) -> None: ...

class TraceRequest(_message.Message):
    __slots__ = ("packet", "frame")
    PACKET_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    packet: TracedPacket
    frame: ArrivingFrame
    def __init__(self, packet: _Optional[_Union[TracedPacket, _Mapping]] = ..., frame: _Optional[_Union[ArrivingFrame, _Mapping]] = ...) -> None: ...

class TracedPacket(_message.Message):
    __slots__ = ("source", "destination", "protocol", "port", "source_port")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_PORT_FIELD_NUMBER: _ClassVar[int]
    source: str
    destination: str
    protocol: str
    port: int
    source_port: int
    def __init__(self, source: _Optional[str] = ..., destination: _Optional[str] = ..., protocol: _Optional[str] = ..., port: _Optional[int] = ..., source_port: _Optional[int] = ...) -> None: ...

class ArrivingFrame(_message.Message):
    __slots__ = ("device", "data")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    device: str
    data: bytes
    def __init__(self, device: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class TraceResponse(_message.Message):
    __slots__ = ("decisions", "end", "where", "device", "reason", "answer", "frame", "destination", "port", "socket", "links")
    class End(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        END_UNSPECIFIED: _ClassVar[TraceResponse.End]
        DROPPED: _ClassVar[TraceResponse.End]
        NODE: _ClassVar[TraceResponse.End]
        POD: _ClassVar[TraceResponse.End]
        HOST: _ClassVar[TraceResponse.End]
        OUTSIDE: _ClassVar[TraceResponse.End]
        UNRESOLVED: _ClassVar[TraceResponse.End]
    END_UNSPECIFIED: TraceResponse.End
    DROPPED: TraceResponse.End
    NODE: TraceResponse.End
    POD: TraceResponse.End
    HOST: TraceResponse.End
    OUTSIDE: TraceResponse.End
    UNRESOLVED: TraceResponse.End
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    SOCKET_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[TraceDecision]
    end: TraceResponse.End
    where: str
    device: str
    reason: str
    answer: str
    frame: bytes
    destination: str
    port: int
    socket: str
    links: _containers.RepeatedCompositeFieldContainer[LinkState]
    def __init__(self, decisions: _Optional[_Iterable[_Union[TraceDecision, _Mapping]]] = ..., end: _Optional[_Union[TraceResponse.End, str]] = ..., where: _Optional[str] = ..., device: _Optional[str] = ..., reason: _Optional[str] = ..., answer: _Optional[str] = ..., frame: _Optional[bytes] = ..., destination: _Optional[str] = ..., port: _Optional[int] = ..., socket: _Optional[str] = ..., links: _Optional[_Iterable[_Union[LinkState, _Mapping]]] = ...) -> None: ...

class TraceDecision(_message.Message):
    __slots__ = ("table", "rule", "verdict")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    table: str
    rule: str
    verdict: str
    def __init__(self, table: _Optional[str] = ..., rule: _Optional[str] = ..., verdict: _Optional[str] = ...) -> None: ...

class EchoRequest(_message.Message):
    __slots__ = ("source", "destination", "ttl", "size", "timeout_seconds")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    source: str
    destination: str
    ttl: int
    size: int
    timeout_seconds: float
    def __init__(self, source: _Optional[str] = ..., destination: _Optional[str] = ..., ttl: _Optional[int] = ..., size: _Optional[int] = ..., timeout_seconds: _Optional[float] = ...) -> None: ...

class EchoResponse(_message.Message):
    __slots__ = ("source", "type", "code", "seconds", "ttl", "size")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    source: str
    type: int
    code: int
    seconds: float
    ttl: int
    size: int
    def __init__(self, source: _Optional[str] = ..., type: _Optional[int] = ..., code: _Optional[int] = ..., seconds: _Optional[float] = ..., ttl: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class LinkImpairment(_message.Message):
    __slots__ = ("delay", "jitter", "loss", "duplicate", "reorder", "rate")
    DELAY_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    REORDER_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    delay: float
    jitter: float
    loss: float
    duplicate: float
    reorder: float
    rate: float
    def __init__(self, delay: _Optional[float] = ..., jitter: _Optional[float] = ..., loss: _Optional[float] = ..., duplicate: _Optional[float] = ..., reorder: _Optional[float] = ..., rate: _Optional[float] = ...) -> None: ...

class LinkChange(_message.Message):
    __slots__ = ("link", "impairment", "cut", "seed")
    LINK_FIELD_NUMBER: _ClassVar[int]
    IMPAIRMENT_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    link: str
    impairment: LinkImpairment
    cut: bool
    seed: str
    def __init__(self, link: _Optional[str] = ..., impairment: _Optional[_Union[LinkImpairment, _Mapping]] = ..., cut: _Optional[bool] = ..., seed: _Optional[str] = ...) -> None: ...

class SetLinksRequest(_message.Message):
    __slots__ = ("changes", "heal_all")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    HEAL_ALL_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[LinkChange]
    heal_all: bool
    def __init__(self, changes: _Optional[_Iterable[_Union[LinkChange, _Mapping]]] = ..., heal_all: _Optional[bool] = ...) -> None: ...

class SetLinksResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListLinksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListLinksResponse(_message.Message):
    __slots__ = ("links",)
    LINKS_FIELD_NUMBER: _ClassVar[int]
    links: _containers.RepeatedCompositeFieldContainer[LinkState]
    def __init__(self, links: _Optional[_Iterable[_Union[LinkState, _Mapping]]] = ...) -> None: ...

class LinkState(_message.Message):
    __slots__ = ("link", "impairment", "cut", "seed", "passed", "lost", "duplicated", "reordered", "overflowed", "refused")
    LINK_FIELD_NUMBER: _ClassVar[int]
    IMPAIRMENT_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    DUPLICATED_FIELD_NUMBER: _ClassVar[int]
    REORDERED_FIELD_NUMBER: _ClassVar[int]
    OVERFLOWED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    link: str
    impairment: LinkImpairment
    cut: bool
    seed: str
    passed: int
    lost: int
    duplicated: int
    reordered: int
    overflowed: int
    refused: int
    def __init__(self, link: _Optional[str] = ..., impairment: _Optional[_Union[LinkImpairment, _Mapping]] = ..., cut: _Optional[bool] = ..., seed: _Optional[str] = ..., passed: _Optional[int] = ..., lost: _Optional[int] = ..., duplicated: _Optional[int] = ..., reordered: _Optional[int] = ..., overflowed: _Optional[int] = ..., refused: _Optional[int] = ...) -> None: ...
