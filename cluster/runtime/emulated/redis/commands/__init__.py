"""The commands, one file a family; `COMMANDS` has all of them by name."""

from collections.abc import Mapping
from typing import Final

from cluster.runtime.emulated.redis.commands import (
    connection,
    hashes,
    keys,
    lists,
    ranges,
    server,
    sets,
    sortedsets,
    strings,
)
from cluster.runtime.emulated.redis.commands.command import Command

COMMANDS: Final[Mapping[str, Command]] = {
    name: one
    for family in (strings, keys, lists, hashes, sets, sortedsets, ranges, connection, server)
    for name, one in family.table.commands.items()
}

NOT_BUILT: Final = (
    "acl bitfield bitop bitpos blmpop bzmpop bzpopmax bzpopmin cluster debug dump eval eval_ro "
    "evalsha failover fcall function geoadd geodist geohash geopos georadius geosearch lcs lmpop "
    "migrate module monitor pfadd pfcount pfmerge restore script sort sort_ro spublish ssubscribe "
    "swapdb xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup "
    "xrevrange xtrim zdiff zdiffstore zinter zmpop zrandmember zunion hexpire httl"
)
"""What a real server has and this one has not: it says so."""
