"""What programs tell of the machine and of what is mounted."""

from vosworld import kernel, on, sh

from cluster.aio import virtual
from cluster.runtime.vos.facts import Facts
from cluster.runtime.vos.nodes import Folder, Space


def with_volumes(script: str) -> str:
    async def main() -> str:
        target = kernel()
        target.facts = lambda: Facts(memory=16 << 30)
        target.files.mount("/mem", Folder(Space(1 << 20)), kind="tmpfs", source="tmpfs",
                           size=1 << 20)  # fmt: skip
        target.files.mount("/data", Folder(Space(1 << 30)), readonly=True)
        found = await on(target, "sh", "-c", script)
        assert found.err == ""
        return found.out

    return virtual.run(main())


def test_mount_tells_volumes_and_their_kinds() -> None:
    lines = with_volumes("mount").splitlines()
    assert lines[0] == "overlay on / type overlay (rw,relatime)"
    assert "proc on /proc type proc (rw,nosuid,nodev,noexec,relatime)" in lines
    assert "cgroup on /sys/fs/cgroup type cgroup2 (ro,nosuid,nodev,noexec,relatime)" in lines
    assert "tmpfs on /mem type tmpfs (rw,relatime,size=1024k)" in lines
    assert "/dev/vda1 on /data type ext4 (ro,relatime)" in lines
    assert with_volumes("mount -t ext4") == "/dev/vda1 on /data type ext4 (ro,relatime)\n"
    assert with_volumes("cat /proc/mounts").count("\n") == len(lines)


def test_df_tells_the_room_of_each() -> None:
    rows = [line.split() for line in with_volumes("df").splitlines()[1:]]
    assert [row[-1] for row in rows] == ["/", "/dev", "/dev/shm", "/mem", "/data"]
    assert rows[3] == ["tmpfs", "1024", "0", "1024", "0%", "/mem"]
    used = (
        with_volumes("dd if=/dev/zero of=/mem/x bs=1024 count=512 2>/dev/null; df -T /mem/x")
        .splitlines()[1]
        .split()
    )
    assert used == ["tmpfs", "tmpfs", "1024", "512", "512", "50%", "/mem"]
    assert with_volumes("df -h /data").splitlines()[1].split()[1] == "100G"


def test_mountpoint_knows_mounts() -> None:
    assert with_volumes("mountpoint -q /mem; echo $?; mountpoint -q /etc; echo $?") == "0\n1\n"


def test_free_and_meminfo_agree() -> None:
    assert with_volumes("free -m | awk '/Mem/ {print $2}'") == "16384\n"
    assert with_volumes("awk '/MemTotal/ {print $2}' /proc/meminfo") == f"{16 << 20}\n"


def test_uptime_tells_the_time_of_day() -> None:
    found = sh("sleep 300; uptime")
    assert found.out == (" 00:05:00 up 1 day, 5 min,  0 users,  load average: 0.00, 0.00, 0.00\n")
