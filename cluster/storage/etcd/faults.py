"""What a failed call to etcd means, by its gRPC code and etcd's own words. Pure."""

import grpc


class Unanswered(Exception):
    """Nobody knows whether the call was carried out; another member, or a later try, may answer."""


class Refused(Exception):
    """etcd took a look and said no: the call was not carried out, and trying again is of no use."""


class Past(Exception):
    """The revision asked for is compacted."""


class Future(Exception):
    """The revision asked for has not happened."""


NO_SPACE = (
    "etcd has no space left (alarm NOSPACE: its file has reached --quota-backend-bytes), so it "
    "takes no writes: compact it (kubemu store compact), then defragment it (kubemu store defrag), "
    "which ends the alarm, too"
)
_TOO_LARGE = "the object is too large for etcd (its --max-request-bytes, 1.5 MiB where not told)"

_AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}


def judged(error: grpc.aio.AioRpcError) -> Unanswered | Refused | Past | Future:
    """What became of the call."""
    text = (error.details() or error.code().name).removeprefix("etcdserver: ")
    if "has been compacted" in text:
        return Past(text)
    if "is a future revision" in text:
        return Future(text)
    if "space exceeded" in text:
        return Refused(NO_SPACE)
    if "request is too large" in text:
        return Refused(_TOO_LARGE)
    if error.code() in _AGAIN or "too many requests" in text:
        return Unanswered(text)
    return Refused(f"etcd refused: {text}")
