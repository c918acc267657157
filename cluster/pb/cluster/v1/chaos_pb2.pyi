from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SetFaultRequest(_message.Message):
    __slots__ = ("id", "seconds", "api", "disk")
    ID_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    API_FIELD_NUMBER: _ClassVar[int]
    DISK_FIELD_NUMBER: _ClassVar[int]
    id: str
    seconds: float
    api: ApiFault
    disk: DiskFault
    def __init__(self, id: _Optional[str] = ..., seconds: _Optional[float] = ..., api: _Optional[_Union[ApiFault, _Mapping]] = ..., disk: _Optional[_Union[DiskFault, _Mapping]] = ...) -> None: ...

class SetFaultResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClearFaultsRequest(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ClearFaultsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFaultsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFaultsResponse(_message.Message):
    __slots__ = ("faults",)
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    faults: _containers.RepeatedCompositeFieldContainer[FaultState]
    def __init__(self, faults: _Optional[_Iterable[_Union[FaultState, _Mapping]]] = ...) -> None: ...

class FaultState(_message.Message):
    __slots__ = ("id", "seconds", "requests")
    ID_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    seconds: float
    requests: int
    def __init__(self, id: _Optional[str] = ..., seconds: _Optional[float] = ..., requests: _Optional[int] = ...) -> None: ...

class ApiFault(_message.Message):
    __slots__ = ("users", "verbs", "resources", "share", "code", "latency", "drop_watches", "delay_watches", "stale")
    USERS_FIELD_NUMBER: _ClassVar[int]
    VERBS_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    DROP_WATCHES_FIELD_NUMBER: _ClassVar[int]
    DELAY_WATCHES_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedScalarFieldContainer[str]
    verbs: _containers.RepeatedScalarFieldContainer[str]
    resources: _containers.RepeatedScalarFieldContainer[str]
    share: float
    code: int
    latency: float
    drop_watches: float
    delay_watches: float
    stale: bool
    def __init__(self, users: _Optional[_Iterable[str]] = ..., verbs: _Optional[_Iterable[str]] = ..., resources: _Optional[_Iterable[str]] = ..., share: _Optional[float] = ..., code: _Optional[int] = ..., latency: _Optional[float] = ..., drop_watches: _Optional[float] = ..., delay_watches: _Optional[float] = ..., stale: _Optional[bool] = ...) -> None: ...

class DiskFault(_message.Message):
    __slots__ = ("full", "latency")
    FULL_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    full: bool
    latency: float
    def __init__(self, full: _Optional[bool] = ..., latency: _Optional[float] = ...) -> None: ...
