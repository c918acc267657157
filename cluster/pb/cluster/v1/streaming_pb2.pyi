from cluster.pb.cluster.v1 import kubelet_pb2 as _kubelet_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ReadLogRequest(_message.Message):
    __slots__ = ("container_id", "offset", "limit", "wait_seconds")
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    container_id: str
    offset: int
    limit: int
    wait_seconds: int
    def __init__(self, container_id: _Optional[str] = ..., offset: _Optional[int] = ..., limit: _Optional[int] = ..., wait_seconds: _Optional[int] = ...) -> None: ...

class ReadLogResponse(_message.Message):
    __slots__ = ("data", "offset", "start", "end", "ended")
    DATA_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    offset: int
    start: int
    end: int
    ended: bool
    def __init__(self, data: _Optional[bytes] = ..., offset: _Optional[int] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., ended: _Optional[bool] = ...) -> None: ...
