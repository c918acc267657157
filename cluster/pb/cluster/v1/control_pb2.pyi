from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListProcessesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListProcessesResponse(_message.Message):
    __slots__ = ("processes",)
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    processes: _containers.RepeatedCompositeFieldContainer[Process]
    def __init__(self, processes: _Optional[_Iterable[_Union[Process, _Mapping]]] = ...) -> None: ...

class Process(_message.Message):
    __slots__ = ("name", "component", "node", "phase", "paused", "pid", "restarts", "started", "last_exit", "status", "log", "arguments", "cpu")
    class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PHASE_UNSPECIFIED: _ClassVar[Process.Phase]
        STOPPED: _ClassVar[Process.Phase]
        STARTING: _ClassVar[Process.Phase]
        RUNNING: _ClassVar[Process.Phase]
        BACKOFF: _ClassVar[Process.Phase]
        STOPPING: _ClassVar[Process.Phase]
    PHASE_UNSPECIFIED: Process.Phase
    STOPPED: Process.Phase
    STARTING: Process.Phase
    RUNNING: Process.Phase
    BACKOFF: Process.Phase
    STOPPING: Process.Phase
    NAME_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    LAST_EXIT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    name: str
    component: str
    node: str
    phase: Process.Phase
    paused: bool
    pid: int
    restarts: int
    started: float
    last_exit: str
    status: str
    log: str
    arguments: _containers.RepeatedScalarFieldContainer[str]
    cpu: float
    def __init__(self, name: _Optional[str] = ..., component: _Optional[str] = ..., node: _Optional[str] = ..., phase: _Optional[_Union[Process.Phase, str]] = ..., paused: _Optional[bool] = ..., pid: _Optional[int] = ..., restarts: _Optional[int] = ..., started: _Optional[float] = ..., last_exit: _Optional[str] = ..., status: _Optional[str] = ..., log: _Optional[str] = ..., arguments: _Optional[_Iterable[str]] = ..., cpu: _Optional[float] = ...) -> None: ...

class StartRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("name", "grace_seconds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    GRACE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    grace_seconds: float
    def __init__(self, name: _Optional[str] = ..., grace_seconds: _Optional[float] = ...) -> None: ...

class KillRequest(_message.Message):
    __slots__ = ("name", "signal")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    signal: int
    def __init__(self, name: _Optional[str] = ..., signal: _Optional[int] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class SlowRequest(_message.Message):
    __slots__ = ("name", "cpu", "seconds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    cpu: float
    seconds: float
    def __init__(self, name: _Optional[str] = ..., cpu: _Optional[float] = ..., seconds: _Optional[float] = ...) -> None: ...

class ShutDownRequest(_message.Message):
    __slots__ = ("grace_seconds",)
    GRACE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    grace_seconds: float
    def __init__(self, grace_seconds: _Optional[float] = ...) -> None: ...

class ShutDownResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
