"""What INFO says."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cluster.runtime.emulated.redis.engine import Engine

BASE: Final = 900_000
"""Bytes that a server takes without data, about."""


def text(engine: "Engine", wanted: list[str], now: int) -> str:
    """The sections that are wanted, all where none is named."""
    made: list[str] = []
    for name, section in _SECTIONS.items():
        if not wanted or name.upper() in wanted or {"ALL", "DEFAULT", "EVERYTHING"} & set(wanted):
            rows = [f"{key}:{value}" for key, value in section(engine, now).items()]
            made.append("\r\n".join([f"# {name}", *rows, ""]))
    return "\r\n".join(made)


def _server(engine: "Engine", now: int) -> dict[str, Any]:
    up = (now - engine.started) // 1000
    return {
        "redis_version": engine.version, "redis_mode": "standalone", "os": "Linux x86_64",
        "arch_bits": 64, "multiplexing_api": "epoll", "process_id": 1, "run_id": engine.run_id,
        "tcp_port": engine.settings["port"], "uptime_in_seconds": up,
        "uptime_in_days": up // 86400, "hz": engine.settings["hz"],
        "executable": "/data/redis-server", "config_file": engine.config_file,
    }  # fmt: skip


def _clients(engine: "Engine", _now: int) -> dict[str, Any]:
    return {
        "connected_clients": len(engine.sessions) - len(engine.followers),
        "maxclients": engine.settings["maxclients"], "blocked_clients": len(engine.waiting),
        "pubsub_clients": sum(1 for one in engine.sessions.values() if one.subscribed),
    }  # fmt: skip


def _memory(engine: "Engine", _now: int) -> dict[str, Any]:
    used = BASE + engine.used
    most = int(engine.settings["maxmemory"])
    return {
        "used_memory": used, "used_memory_human": human(used), "used_memory_rss": used,
        "used_memory_rss_human": human(used), "used_memory_peak": max(engine.peak, used),
        "maxmemory": most, "maxmemory_human": human(most),
        "maxmemory_policy": engine.settings["maxmemory-policy"], "mem_fragmentation_ratio": "1.00",
        "mem_allocator": "kubemu",
    }  # fmt: skip


def human(amount: int) -> str:
    """Bytes as INFO shows them: `878.91K`."""
    for unit, size in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if amount >= size:
            return f"{amount / size:.2f}{unit}"
    return f"{amount}B"


def _persistence(engine: "Engine", _now: int) -> dict[str, Any]:
    return {
        "loading": 0, "rdb_changes_since_last_save": engine.dirty, "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": engine.saved_at // 1000,
        "rdb_last_bgsave_status": "ok" if engine.save_worked else "err",
        "aof_enabled": int(engine.settings["appendonly"] == "yes"),
    }  # fmt: skip


def _stats(engine: "Engine", _now: int) -> dict[str, Any]:
    every = engine.databases
    return {
        "total_connections_received": engine.sessions_seen,
        "total_commands_processed": engine.commands_done,
        "expired_keys": sum(one.expired for one in every), "evicted_keys": engine.evicted,
        "keyspace_hits": sum(one.hits for one in every),
        "keyspace_misses": sum(one.misses for one in every),
        "pubsub_channels": len(engine.channels.names(b"*")),
        "pubsub_patterns": engine.channels.patterns(),
    }  # fmt: skip


def _replication(engine: "Engine", _now: int) -> dict[str, Any]:
    leader = engine.settings.leader()
    made: dict[str, Any] = {"role": "slave" if leader else "master"}
    if leader:
        made |= {
            "master_host": leader[0], "master_port": leader[1],
            "master_link_status": "up" if engine.linked else "down",
            "master_sync_in_progress": 0, "slave_repl_offset": engine.offset,
            "slave_read_only": int(engine.settings["replica-read-only"] == "yes"),
        }  # fmt: skip
    made["connected_slaves"] = len(engine.followers)
    for number, one in enumerate(engine.followers):
        address = one.address.rpartition(":")[0]
        made[f"slave{number}"] = (
            f"ip={address},port={one.port},state=online,offset={engine.offset},lag=0"
        )
    return made | {"master_replid": engine.run_id, "master_repl_offset": engine.offset}


def _cpu(_engine: "Engine", _now: int) -> dict[str, Any]:
    return {"used_cpu_sys": "0.000000", "used_cpu_user": "0.000000"}


def _cluster(_engine: "Engine", _now: int) -> dict[str, Any]:
    return {"cluster_enabled": 0}


def _keyspace(engine: "Engine", now: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for db in engine.databases:
        if db.entries:
            left = [at - now for at in db.expires.values()]
            mean = sum(left) // len(left) if left else 0
            made[f"db{db.number}"] = (
                f"keys={len(db.entries)},expires={len(db.expires)},avg_ttl={mean}"
            )
    return made


_SECTIONS: Final = {
    "Server": _server, "Clients": _clients, "Memory": _memory, "Persistence": _persistence,
    "Stats": _stats, "Replication": _replication, "CPU": _cpu, "Cluster": _cluster,
    "Keyspace": _keyspace,
}  # fmt: skip
