"""/proc and /sys/fs/cgroup of a container: what programs and health scripts read there."""

import pytest
from vosworld import kernel, on, sh

from cluster.aio import virtual
from cluster.runtime.vos.facts import Facts, weight

SCRIPTS = (
    ("tr '\\0' ' ' </proc/self/cmdline", "sh -c tr '\\0' ' ' </proc/self/cmdline sh "),
    ("cat /proc/self/comm", "cat\n"),
    ("cd /tmp; readlink /proc/$$/cwd; readlink /proc/self/exe; readlink /proc/self/root",
     "/tmp\n/bin/readlink\n/\n"),
    ("A=1 cat /proc/self/environ | tr '\\0' '\\n' | grep HOSTNAME", "HOSTNAME=web-0\n"),
    ("grep -E '^(Pid|PPid|Uid|State)' /proc/$$/status",
     "State:\tR (running)\nPid:\t2\nPPid:\t0\nUid:\t0\t0\t0\t0\n"),
    ("sleep 9 & cat /proc/$!/comm; grep PPid /proc/$!/status; kill $!; wait; ls -d /proc/$!",
     "sleep\nPPid:\t2\n"),
    ("cat /proc/self/cgroup", "0::/\n"),
    ("ls /proc/self/fd | tr '\\n' ' '", "0 1 2 "),
    ("head -n 1 /proc/mounts; grep -c ' /proc ' /proc/self/mountinfo",
     "overlay / overlay rw,relatime 0 0\n1\n"),
    ("grep -c ^processor /proc/cpuinfo; awk '/MemTotal/ {print $2}' /proc/meminfo", "4\n8388608\n"),
    ("cat /proc/loadavg", "0.00 0.00 0.00 1/1 2\n"),
    ("cat /proc/version; cat /proc/sys/kernel/hostname /proc/sys/kernel/osrelease",
     "Linux version 6.1.0-kubemu (kubemu) #1 SMP\nweb-0\n6.1.0-kubemu\n"),
    ("sleep 5; cut -d. -f1 /proc/uptime; grep btime /proc/stat", "86405\nbtime 1767139200\n"),
    ("a=$(cat /proc/sys/kernel/random/uuid); b=$(cat /proc/sys/kernel/random/uuid);"
     "echo ${#a}; [ $a != $b ] && echo differ", "36\ndiffer\n"),
    ("cat /proc/net/dev | tail -n 2 | cut -d: -f1", "    lo\n  eth0\n"),
    ("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max", "max\nmax 100000\n"),
    ("sysctl -n kernel.hostname", "web-0\n"),
    ("sysctl -w net.core.somaxconn=7 >/dev/null; cat /proc/sys/net/core/somaxconn", "7\n"),
    ("find /proc/self -maxdepth 1 -name stat*  | wc -l", "0\n"),
)  # fmt: skip


@pytest.mark.parametrize(("script", "expected"), SCRIPTS)
def test_proc_shows_what_runs(script: str, expected: str) -> None:
    found = sh(script)
    assert found.out == expected, found.err


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("touch /proc/x", "No such file or directory"),
        ("mkdir /proc/x", "No such file or directory"),
        ("rm -r /proc", "busy"),
        ("rm /proc/version", "Operation not permitted"),
        ("echo 1 >/sys/fs/cgroup/memory.max", "Read-only file system"),
        ("echo 1 >/sys/fs/cgroup/x", "Read-only file system"),
        ("cat /proc/999/comm", "No such file or directory"),
    ],
)
def test_proc_cannot_be_changed(script: str, message: str) -> None:
    found = sh(script)
    assert found.code
    assert message in found.err


def test_cgroup_files_tell_the_containers_limits() -> None:
    async def main() -> str:
        target = kernel()
        target.facts = lambda: Facts(memory_limit=64 << 20, memory_used=9 << 20, quota=50_000,
                                     weight=weight(512))  # fmt: skip
        names = "memory.max memory.current cpu.max cpu.weight pids.current"
        found = await on(target, "sh", "-c", f"cd /sys/fs/cgroup; cat {names}")
        return found.out

    assert virtual.run(main()).split("\n") == [
        str(64 << 20), str(9 << 20), "50000 100000", "20", "1", ""
    ]  # fmt: skip


def test_what_listens_stands_in_proc_net() -> None:
    found = sh("cat /proc/net/tcp | head -n 1 | cut -c 1-20")
    assert found.out == "  sl  local_address \n"


def test_another_users_environment_is_not_shown() -> None:
    found = sh('sleep 9 & su nobody -s /bin/sh -c "cat /proc/$!/environ"; kill $!')
    assert "Permission denied" in found.err or "unknown user" in found.err
