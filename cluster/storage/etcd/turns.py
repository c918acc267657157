"""Whose turn it is to compact: kube-apiserver's protocol on its key `compact_rev_key`.

The key's version counts compactions. Who knows the present version may compact, and raises it by
that; who does not has been overtaken by another server, learns the version, and leaves it to it.
"""

from cluster.pb.etcd.v3 import rpc_pb2 as pb
from cluster.storage.etcd.keys import COMPACTED
from cluster.storage.etcd.members import Members


class Turns:
    """This server's knowledge of the version."""

    def __init__(self) -> None:
        self._version = 0

    async def take(self, members: Members, revision: int) -> bool:
        """Whether to compact to `revision` is up to this server now. Unavailable."""
        same = pb.Compare(
            result=pb.Compare.EQUAL,
            target=pb.Compare.VERSION,
            key=COMPACTED,
            version=self._version,
        )
        put = pb.PutRequest(key=COMPACTED, value=b"%d" % revision)
        answer = await members.ask(
            "Txn",
            pb.TxnRequest(
                compare=[same],
                success=[pb.RequestOp(request_put=put)],
                failure=[pb.RequestOp(request_range=pb.RangeRequest(key=COMPACTED))],
            ),
        )
        if answer.succeeded:
            self._version += 1
            return True
        found = answer.responses[0].response_range.kvs
        self._version = found[0].version if found else 0
        return False
