"""What is said of a call over gRPC that failed, also where gRPC itself says nothing."""

import grpc
import pytest

from cluster.api import errors
from cluster.client import grpc_transport

CODES = grpc.StatusCode
CUT_OFF = "the server ended the call before it was over: it stops, or is too busy to answer"


@pytest.mark.parametrize(
    ("code", "details", "kind", "said"),
    [
        (CODES.CANCELLED, "CANCELLED", errors.ServiceUnavailable, CUT_OFF),
        (CODES.CANCELLED, "", errors.ServiceUnavailable, CUT_OFF),
        (CODES.CANCELLED, "Cancelling all calls", errors.ServiceUnavailable, "Cancelling all"),
        (CODES.INTERNAL, None, errors.InternalError, "the call failed without a word of why (gRPC"),
        (CODES.PERMISSION_DENIED, "not you", errors.Forbidden, "not you"),
    ],
)
def test_a_failed_call_says_what_happened(code, details, kind, said):
    failure = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)
    error = grpc_transport.status_error(failure)
    assert type(error) is kind
    assert error.message.startswith(said)
