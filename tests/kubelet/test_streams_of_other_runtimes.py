"""Streams of other runtimes: what becomes of clients that hang up."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cluster.aio import rpc, virtual
from cluster.kubelet.foreign import streams


@pytest.mark.parametrize("begin", [streams.run, streams.attach, streams.port_forward])
def test_who_hangs_up_before_the_start_is_a_failed_call(begin: Any) -> None:
    async def nothing() -> AsyncIterator[Any]:
        for one in ():
            yield one

    async def main() -> None:
        with pytest.raises(rpc.Failure, match="the client left") as found:
            await begin(None, nothing())
        assert found.value.code == "CANCELLED"

    virtual.run(main())
