"""Keeps from users' terminals and logs what gRPC's library says to nobody in particular."""

import logging
import os
from typing import Final

_POLLER: Final = "PollerCompletionQueue._handle_events"
_EARLIER: Final = "Event loop is closed"
_SERVER: Final = "grpc._cython.cygrpc"
_UNSENT: Final = "ExecuteBatchError raised in core by servicer method"


def silence() -> None:
    """Call it before gRPC is imported. What a user should know of a failed call, we say."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    logging.getLogger("asyncio").addFilter(_worth_telling)
    logging.getLogger(_SERVER).addFilter(_in_a_line)


def _worth_telling(record: logging.LogRecord) -> bool:
    """All but this. All loops that a process runs, one after the other, share gRPC's poller. It
    may wake one with nothing to read, or for a call of an earlier one, for which nobody waits any
    more; it takes one event at a time, so that nothing else is lost by it.
    """
    if not record.exc_info or _POLLER not in record.getMessage():
        return True
    error = record.exc_info[1]
    return not isinstance(error, BlockingIOError) and str(error) != _EARLIER


def _in_a_line(record: logging.LogRecord) -> bool:
    """A client that hangs up while it is answered is no error of a server's, and its traceback is
    of gRPC's own lines.
    """
    message = record.getMessage()
    if message.startswith(_UNSENT):
        method = message.removeprefix(_UNSENT).strip(" []")
        record.msg, record.args = "a client of %s hung up before all was sent", (method,)
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
    return True
