from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainRequest(_message.Message):
    __slots__ = ("namespace", "name")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    name: str
    def __init__(self, namespace: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("queue", "gate", "attempt")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    gate: str
    attempt: Attempt
    def __init__(self, queue: _Optional[str] = ..., gate: _Optional[str] = ..., attempt: _Optional[_Union[Attempt, _Mapping]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("uid", "time", "node", "message", "nodes", "weights")
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    UID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    uid: str
    time: float
    node: str
    message: str
    nodes: _containers.RepeatedCompositeFieldContainer[NodeVerdict]
    weights: _containers.ScalarMap[str, int]
    def __init__(self, uid: _Optional[str] = ..., time: _Optional[float] = ..., node: _Optional[str] = ..., message: _Optional[str] = ..., nodes: _Optional[_Iterable[_Union[NodeVerdict, _Mapping]]] = ..., weights: _Optional[_Mapping[str, int]] = ...) -> None: ...

class NodeVerdict(_message.Message):
    __slots__ = ("node", "refused_by", "reasons", "code", "scores", "total")
    NODE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_BY_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    node: str
    refused_by: str
    reasons: _containers.RepeatedScalarFieldContainer[str]
    code: str
    scores: _containers.RepeatedCompositeFieldContainer[PluginScore]
    total: int
    def __init__(self, node: _Optional[str] = ..., refused_by: _Optional[str] = ..., reasons: _Optional[_Iterable[str]] = ..., code: _Optional[str] = ..., scores: _Optional[_Iterable[_Union[PluginScore, _Mapping]]] = ..., total: _Optional[int] = ...) -> None: ...

class PluginScore(_message.Message):
    __slots__ = ("plugin", "raw", "normalized")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    raw: int
    normalized: int
    def __init__(self, plugin: _Optional[str] = ..., raw: _Optional[int] = ..., normalized: _Optional[int] = ...) -> None: ...
