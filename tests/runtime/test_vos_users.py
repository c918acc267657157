"""Users and groups in emulated containers: who a process is, whose files are, what is refused."""

import asyncio
import dataclasses
import os

import pytest
from test_runtime_service import sandbox, service
from vosworld import Result, kernel, on

from cluster.aio import rpc, virtual
from cluster.api import fileowners
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.emulated import accounts
from cluster.runtime.nodedisk import MemoryDisk
from cluster.runtime.vos import disknodes, files, modes
from cluster.runtime.vos.credentials import Credentials

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nann:x:1000:3000:Ann:/home/ann:/bin/sh\n"
GROUP = b"root:x:0:\nann:x:3000:\nclub:x:2000:ann\n"
ANN = Credentials(1000, 3000, (2000, 3000))


def sh(script: str, who: Credentials, prepared: str = "") -> Result:
    """Run a script as somebody, after another one as root."""

    async def main() -> Result:
        target = kernel()
        target.files.put("/etc/passwd", PASSWD)
        target.files.put("/etc/group", GROUP)
        if prepared:
            made = await on(target, "sh", "-c", prepared)
            assert (made.err, made.code) == ("", 0)
        target.who = who
        return await on(target, "sh", "-c", script)

    return virtual.run(main())


TOLD = [
    ("id; whoami; groups; id -u; id -gn; id -G",
     "uid=1000(ann) gid=3000(ann) groups=2000(club),3000(ann)\nann\nann club\n1000\nann\n"
     "3000 2000\n"),
    ("id root; id nobody 2>&1; echo $?", "uid=0(root) gid=0(root) groups=0(root)\n"
     "id: unknown user nobody\n1\n"),
    ("umask; umask -S; umask 027; >f; mkdir d; stat -c '%a %U:%G' f d",
     "0022\nu=rwx,g=rx,o=rx\n640 ann:ann\n750 ann:ann\n"),
    ("(umask 077; >f); >g; echo $(umask 007) $(umask); stat -c %a f g", "0022\n600\n644\n"),
    ("umask g=,o=; umask; umask 8 2>&1; echo $?", "0077\nsh: umask: invalid mode '8'\n1\n"),
    ("touch f; chown :club f; stat -c '%u:%g' f; chown root f 2>&1; echo $?",
     "1000:2000\nchown: f: Operation not permitted\n1\n"),
    ("touch f; chgrp 5 f 2>&1; chmod 2755 f; chown ann:nix f 2>&1; chown nix f 2>&1; stat -c %a f",
     "chgrp: f: Operation not permitted\n"
     "chown: unknown group nix\nchown: unknown user nix\n2755\n"),
    ("ls -l / | grep -E ' (tmp|root)$' | cut -c1-33; ls -nd /tmp | cut -c1-33",
     "drwx------    2 root     root    \ndrwxrwxrwt    2 root     root    \n"
     "drwxrwxrwt    2 0        0       \n"),
    ("su -c id 2>&1; echo $?", "su: must be suid to work properly\n1\n"),
    ("hostname -f; hostname -s; hostname x 2>&1", "web-0\nweb-0\n"
     "hostname: sethostname: Operation not permitted\n"),
    ("[ -w /etc ]; [ -w /tmp ] && [ -r /etc/passwd ] && [ ! -r /root/x ] && [ -x /tmp ] && echo y;"
     "touch f; [ -O f ] && [ -G f ] && [ ! -x f ] && [ ! -O /etc ] && echo z", "y\nz\n"),
    ("find /tmp -user ann; touch f; find . -user ann -group ann | sort; find . -user nix 2>&1",
     ".\n./f\nfind: unknown user nix\n"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "out"), TOLD)
def test_who_a_process_is_and_whose_its_files_are(script: str, out: str) -> None:
    assert sh(f"cd /home/ann; {script}", ANN, "mkdir /home/ann; chown ann:ann /home/ann").out == out


def test_a_user_without_a_name() -> None:
    found = sh("id; whoami; groups", Credentials(4444, 0, (0, 7)))
    assert found.out == "uid=4444 gid=0(root) groups=0(root),7\nroot 7\n"
    assert found.err == "whoami: unknown uid 4444\ngroups: unknown ID 7\n"
    assert found.code == 1


SECRETS = (
    "mkdir /s /open /club /drop; echo top > /s/f; chmod 700 /s; echo mine > /open/secret;"
    "chmod 600 /open/secret; echo 'echo run' > /open/run; chmod 744 /open/run; chgrp club /club;"
    "chmod 2770 /club; chmod 1777 /drop; touch /drop/roots; mkdir /open/full; touch /open/full/a;"
    "chmod 333 /open/full; echo all > /open/f"
)
REFUSED = [
    ("cat /s/f", "cat: can't open '/s/f': Permission denied\n", 1),
    ("cat /open/secret", "cat: can't open '/open/secret': Permission denied\n", 1),
    ("cat < /open/secret", "sh: can't open /open/secret: Permission denied\n", 1),
    ("echo x > /open/new", "sh: can't create /open/new: Permission denied\n", 1),
    ("echo x >> /open/f", "sh: can't create /open/f: Permission denied\n", 1),
    ("cd /s", "sh: cd: can't cd to /s: Permission denied\n", 2),
    ("ls /s", "ls: can't open '/s': Permission denied\n", 1),
    ("ls /open/full", "ls: can't open '/open/full': Permission denied\n", 1),
    ("/open/run", "sh: /open/run: Permission denied\n", 126),
    ("rm /open/f", "rm: can't remove '/open/f': Permission denied\n", 1),
    ("rm -rf /open/full", "rm: can't remove '/open/full': Permission denied\n", 1),
    ("rm /drop/roots", "rm: can't remove '/drop/roots': Operation not permitted\n", 1),
    ("mkdir /d", "mkdir: can't create directory '/d': Permission denied\n", 1),
    ("touch /x", "touch: /x: Permission denied\n", 1),
    ("mv /open/f /tmp", "mv: can't rename '/open/f': Permission denied\n", 1),
    ("cp /open/secret /tmp", "cp: can't copy '/open/secret': Permission denied\n", 1),
    ("chmod 777 /open/f", "chmod: /open/f: Operation not permitted\n", 1),
    ("chown ann /open/f", "chown: /open/f: Operation not permitted\n", 1),
    ("tar cf /tmp/t /open/secret", "tar: /open/secret: Permission denied\n", 1),
]


@pytest.mark.parametrize(("script", "err", "code"), REFUSED)
def test_what_modes_refuse(script: str, err: str, code: int) -> None:
    found = sh(script, ANN, SECRETS)
    assert (found.err, found.code) == (err, code)
    assert sh(script.replace("/open/run", "true"), Credentials(), SECRETS).code == 0


def test_a_directory_of_a_group_hands_the_group_on() -> None:
    script = "cd /club; >f; mkdir d; >d/g; mkdir -m 700 e; ls -ln . d; cp f g; stat -c %g g"
    found = sh(script, ANN, SECRETS)
    rows = [line.split()[:4] for line in found.out.splitlines() if line.count(" ") > 6]
    assert [row[0] for row in rows] == ["drwxr-sr-x", "drwx------", "-rw-r--r--", "-rw-r--r--"]
    assert {tuple(row[2:]) for row in rows} == {("1000", "2000")}
    assert found.out.splitlines()[-1] == "2000"


def test_su_and_pipes_keep_who_one_is() -> None:
    found = sh("su ann -c 'id -u; id -u | cat; cat /s/f'; id -u; (umask 077; id -u)",
               Credentials(groups=(0,)), SECRETS)  # fmt: skip
    assert found.out == "1000\n1000\n0\n0\n"
    assert found.err == "cat: can't open '/s/f': Permission denied\n"


def test_a_copy_and_an_archive_keep_owners_for_root() -> None:
    script = (
        "touch f; chown 5:6 f; cp -p f g; cp f h; tar cf t f; mkdir o p; tar xf t -C o;"
        "tar xf t --no-same-owner -C p; stat -c '%n %u:%g' f g h o/f p/f"
    )
    assert sh(script, Credentials()).out == "f 5:6\ng 5:6\nh 0:0\no/f 5:6\np/f 0:0\n"


@pytest.mark.parametrize(
    ("mode", "old", "folder", "new"),
    [
        ("755", 0o600, False, 0o755), ("755", 0o2700, True, 0o755), ("1777", 0o700, True, 0o1777),
        ("u+x", 0o644, False, 0o744), ("+w", 0o444, False, 0o644), ("a+w", 0o444, False, 0o666),
        ("go=", 0o777, False, 0o700), ("g=u", 0o750, False, 0o770), ("u+s,g+s", 0o755, False,
     0o6755),
        ("+X", 0o640, False, 0o640), ("+X", 0o640, True, 0o751), ("u=rw,go=r", 0o777, False, 0o644),
        ("u+rwx-w", 0, False, 0o500), ("+t", 0o777, True, 0o1777), ("z+x", 0, False, None),
        ("9", 0, False, None),
    ],
)  # fmt: skip
def test_modes(mode: str, old: int, folder: bool, new: int | None) -> None:
    assert modes.parsed(mode, old, folder=folder, umask=0o022) == new


# ---- containers ------------------------------------------------------------------------------


def security(**said) -> pb.LinuxContainerSecurityContext:
    found = pb.LinuxContainerSecurityContext(supplemental_groups=said.get("groups", ()))
    if "user" in said:
        found.run_as_user.value = said["user"]
    if "group" in said:
        found.run_as_group.value = said["group"]
    found.run_as_username = said.get("name", "")
    found.readonly_rootfs = said.get("readonly", False)
    return found


async def exec_in(image: str, script: str, **said) -> pb.ExecSyncResponse:
    cri = service()
    box = await sandbox(cri)
    config = pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name="c"), image=pb.ImageSpec(image=image),
        command=said.get("command", ()), working_dir=said.get("cwd", ""),
    )  # fmt: skip
    config.linux.security_context.CopyFrom(security(**said))
    await cri.pull_image(pb.PullImageRequest(image=config.image))
    request = pb.CreateContainerRequest(pod_sandbox_id=box, config=config)
    made = (await cri.create_container(request)).container_id
    await cri.start_container(pb.StartContainerRequest(container_id=made))
    asked = pb.ExecSyncRequest(container_id=made, cmd=["sh", "-c", script], timeout=5)
    try:
        return await cri.exec_sync(asked)
    finally:
        cri.close()


WAIT = ("sleep", "1000")
CONTAINERS = [
    ("busybox:1", {"command": WAIT}, "uid=0(root) gid=0(root) groups=0(root),10(wheel) /root"),
    ("busybox:1", {"command": WAIT, "user": 1000, "group": 3000, "groups": [2000]},
     "uid=1000 gid=3000 groups=2000,3000 /"),
    ("busybox:1", {"command": WAIT, "user": 65534},
     "uid=65534(nobody) gid=65534(nobody) groups=65534(nobody) /home"),
    ("alpine", {"command": WAIT, "user": 405},
     "uid=405(guest) gid=100(users) groups=100(users) /dev/null"),
    ("nginx:1.27", {}, "uid=0(root) gid=0(root) groups=0(root) /root"),
    ("nginx:1.27", {"user": 101}, "uid=101(nginx) gid=101(nginx) groups=101(nginx) /nonexistent"),
    ("nginxinc/nginx-unprivileged", {},
     "uid=101(nginx) gid=101(nginx) groups=101(nginx) /nonexistent"),
    ("redis:7", {"user": 999, "command": WAIT},
     "uid=999(redis) gid=999(redis) groups=999(redis) /home/redis"),
    ("redis:7-alpine", {"user": 999, "command": WAIT},
     "uid=999(redis) gid=1000(redis) groups=1000(redis) /home/redis"),
    ("postgres:16", {"name": "postgres", "command": WAIT},
     "uid=999(postgres) gid=999(postgres) groups=999(postgres) /var/lib/postgresql"),
    ("curlimages/curl", {"command": WAIT},
     "uid=100(curl_user) gid=101(curl_group) groups=101(curl_group) /home/curl_user"),
    ("bitnami/redis", {"command": WAIT}, "uid=1001 gid=0(root) groups=0(root) /"),
    ("registry.example/any:1", {"user": 7}, "uid=7 gid=0(root) groups=0(root) /"),
]  # fmt: skip


@pytest.mark.parametrize(("image", "said", "told"), CONTAINERS)
def test_who_a_command_is_in_a_container(image: str, said: dict, told: str) -> None:
    found = virtual.run(exec_in(image, 'echo "$(id) $HOME"', **said))
    assert (found.stdout.decode(), found.stderr, found.exit_code) == (told + "\n", b"", 0)


def test_a_server_serves_only_what_its_user_may_read() -> None:
    script = (
        "cd /tmp; echo open > a; echo shut > b; chmod 0 b; httpd -p 8080 -h /tmp; sleep 1;"
        "wget -qO- 127.0.0.1:8080/a; wget -qO- 127.0.0.1:8080/b 2>&1"
    )
    found = virtual.run(exec_in("busybox", script, command=WAIT, user=1000))
    assert found.stdout.startswith(b"open\n"), found
    assert b"404" in found.stdout
    assert b"shut" not in found.stdout


def test_an_unknown_user_is_an_error_of_its_making() -> None:
    with pytest.raises(rpc.Failure) as failed:
        virtual.run(exec_in("busybox", "id", name="nix"))
    assert str(failed.value).endswith("unable to find user nix: no matching entries in passwd file")


def test_a_root_that_is_read_only_and_a_place_that_is_closed() -> None:
    found = virtual.run(exec_in("busybox", "touch /tmp/f", command=WAIT, readonly=True))
    assert (found.stderr, found.exit_code) == (b"touch: /tmp/f: Read-only file system\n", 1)
    with pytest.raises(rpc.Failure) as failed:
        virtual.run(exec_in("busybox", "id", command=("sh", "-c", "id"), user=5, cwd="/root"))
    why = 'chdir to cwd ("/root") set in config.json failed: permission denied'
    assert why in str(failed.value)


def test_files_of_accounts_hold_together() -> None:
    for path in ("library/nginx", "library/alpine", "library/busybox", "library/redis", "fedora"):
        for tag in ("latest", "7-alpine"):
            texts = accounts.of(path, tag)
            gids = {line.split(":")[2] for line in texts[accounts.GROUP].splitlines()}
            rows = [line.split(":") for line in texts[accounts.PASSWD].splitlines()]
            assert {len(row) for row in rows} == {7}
            assert rows[0][:4] == ["root", "x", "0", "0"]
            assert all(row[3] in gids for row in rows), path


# ---- volumes ---------------------------------------------------------------------------------


class Still:
    def now(self) -> float:
        return 5.0


def test_a_group_is_given_what_is_in_a_volume_of_memory() -> None:
    disk = MemoryDisk(Still())
    disk.make_folder("/v", 0o777)
    disk.write("/v/secret", b"x", 0o400)
    disk.share("/v", 2000, readonly=True)
    tree = files.FileSystem(lambda: 5.0)
    tree.mount("/data", disk.node("/v"))
    found = tree.find("/data/secret")
    assert (found.uid, found.gid, found.mode) == (0, 2000, 0o440)
    assert tree.seen_by(ANN).read("/data/secret") == b"x"
    other = tree.seen_by(dataclasses.replace(ANN, groups=(3000,)))
    with pytest.raises(PermissionError):
        other.read("/data/secret")
    made = tree.seen_by(ANN).create("/data/new")
    assert (made.uid, made.gid) == (1000, 2000)


@pytest.mark.parametrize("plain", [False, True])
def test_files_of_the_real_disk_have_owners(tmp_path, monkeypatch, plain: bool) -> None:
    if plain:  # As one who may give nothing away: what is his own is root's.
        monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid)
        monkeypatch.setattr(os, "chown", _refused)
    elif os.geteuid():
        pytest.skip("only root gives files away")
    tree = files.FileSystem(lambda: 5.0)
    tree.mount("/data", disknodes.at(str(tmp_path)))
    tree.change_mode("/data", 0o2777)
    tree.change_owner("/data", -1, 2000)
    mine = tree.seen_by(ANN)
    mine.put("/data/f", b"x", 0o600)
    mine.make_folder("/data/d")
    mine.link("f", "/data/l")
    if not plain or _attributes(tmp_path):
        shown = [tree.find(f"/data/{one}") for one in ("f", "d")]
        assert [(one.uid, one.gid) for one in shown] == [(1000, 2000)] * 2
        with pytest.raises(PermissionError):
            tree.seen_by(Credentials(5, 5)).read("/data/f")
    assert mine.read("/data/l") == b"x"
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o600
    if not plain:
        assert (tmp_path / "f").stat().st_uid == 1000


def _refused(path, uid, gid, **_more) -> None:
    raise PermissionError(1, "Operation not permitted", path)


def _attributes(folder) -> bool:
    """Whether the disk keeps extended attributes."""
    probe = folder / "probe"
    probe.touch()
    try:
        os.setxattr(probe, fileowners.ATTRIBUTE, b"0:0")
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


def test_ports_below_1024_are_anybodys() -> None:
    async def main() -> None:
        found = await exec_in("busybox", "nc -l -p 80 & sleep 1; nc -w 1 127.0.0.1 80 < /dev/null;"
                              "echo $?", command=WAIT, user=1000)  # fmt: skip
        assert found.stdout == b"0\n", found.stderr
        await asyncio.sleep(0)

    virtual.run(main())
