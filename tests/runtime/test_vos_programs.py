"""The programs of simulated containers, their files and their terminal."""

import io
import tarfile

import pytest
from vosworld import kernel, on, sh

from cluster.aio import virtual
from cluster.runtime.vos import files
from cluster.runtime.vos.kernel import INT, Io
from cluster.runtime.vos.streams import BrokenPipe, Collected, Joint, Pipe
from cluster.runtime.vos.tty import Tty

PRINTED = [
    ("seq 5 | head -2", "1\n2\n"),
    ("seq 5 | tail -n +4", "4\n5\n"),
    ("seq 5 | tail -n 2", "4\n5\n"),
    ("seq 10 -4 1", "10\n6\n2\n"),
    ("printf 'b\\na\\nb\\n' | sort -u", "a\nb\n"),
    ("printf '10\\n9\\n' | sort -n", "9\n10\n"),
    ("printf 'a\\na\\nb\\n' | uniq -c", "      2 a\n      1 b\n"),
    ("echo a:b:c | cut -d: -f2-", "b:c\n"),
    ("printf 'one two\\nthree' | wc -lwc", "       1        3       13\n"),
    ("printf 'GET\\nPOST\\n' | grep -n ^P", "2:POST\n"),
    ("printf 'a\\nb\\nc\\n' | grep -cE 'a|c'", "2\n"),
    ("echo abc | grep -q b && echo found", "found\n"),
    ("echo hi | tee /a | cat; cat /a", "hi\nhi\n"),
    ("echo -e 'a\\tb\\c'; echo", "a\tb\n"),
    ("printf '%05.1f|%-4s|%x|%%\\n' 3.14159 ab 255", "003.1|ab  |ff|%\n"),
    ("hostname; hostname -i; whoami; id -u; uname -s", "web-0\n10.244.1.7\nroot\n0\nLinux\n"),
    ("env -i A=1 env; printenv HOSTNAME", "A=1\nweb-0\n"),
    ("date +%Y-%m-%d; date +%s", "2026-01-01\n1767225600\n"),
    ("mkdir -p /a/b && touch /a/b/c && ls /a /a/b", "/a:\nb\n\n/a/b:\nc\n"),
    ("echo x > /f; cp /f /g; mv /g /h; rm /f; ls / | grep -E '^f|^g|^h$'", "h\n"),
    ("mkdir /d; echo x > /d/f; cp -r /d /e; rm -r /d; ls /d || cat /e/f", "x\n"),
    ("ln -s /etc/hostname /l; cat /l; readlink /l", "web-0\n/etc/hostname\n"),
    ("echo a > /f; ln /f /g; echo b >> /g; cat /f; stat -c %h /f /g; rm /f; stat -c %h /g;"
     "cat /g; [ $(stat -c %i /g) = $(stat -c %i /g) ] && echo same", "a\nb\n2\n2\n1\na\nb\nsame\n"),
    ("mkdir /d /e; echo a > /d/f; cd /e; ln /d/f; ln -s ../d/f l; ln -s -f gone l; ln l m;"
     "readlink m; ln -sn /d x; ln -s f x; ls /d /e", "gone\n/d:\nf\n\n/e:\nf\nl\nm\nx\n"),
    ("mkdir -p /d/s; ln -s gone /d/h; ln -s s /d/t; cp -a /d /e; cp -r /d /c; cp -P /d/h /p;"
     "cp -d /d/t /q; readlink /e/h /e/t; readlink /c/h; readlink /p; readlink /q",
     "gone\ngone\ngone\ns\n"),
    ("mkdir /r; echo x > /r/f; ln -s f /r/l; cp -rL /r /s; readlink /s/l || cat /s/l", "x\n"),
    ("mkdir -p /d/a /d/b; echo x >/d/f; ln -s /etc/hostname /d/l; cd /d;"
     "ls -l | awk '{print $1, $2, $5, $NF}'; ls -ld . | awk '{print $2}'; stat -c '%s %h' l . f",
     "total 12  12\ndrwxr-xr-x 2 4096 a\ndrwxr-xr-x 2 4096 b\n-rw-r--r-- 1 2 f\n"
     "lrwxrwxrwx 1 13 /etc/hostname\n4\n13 1\n4096 4\n2 1\n"),
    ("basename /a/b.c .c; dirname /a/b.c", "b\n/a\n"),
    ("[ -d /etc -a ! -f /etc ] && [ 3 -gt 2 ] && test -n x && echo yes", "yes\n"),
    ("stty size 2>&1; tty", "stty: standard input: Not a tty\nnot a tty\n"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "out"), PRINTED)
def test_a_program_prints(script: str, out: str) -> None:
    assert sh(script).out == out


@pytest.mark.parametrize(
    ("script", "err"),
    [
        ("ln f g; ln f g", "ln: g: File exists\n"),
        ("ln nosuch g", "ln: nosuch: No such file or directory\n"),
        ("ln d e", "ln: d: Operation not permitted\n"),
        ("ln f d h", "ln: target 'h': Not a directory\n"),
        ("ln -s d pp; rm pp/; rm -r pp/; ls d", "rm: can't remove 'pp/': Not a directory\n" * 2),
        ("mkdir d", "mkdir: can't create directory 'd': File exists\n"),
        ("cp no/such x", "cp: can't copy 'no/such': No such file or directory\n"),
        ("cd d; rm ../nosuch /no", "rm: can't remove '../nosuch': No such file or directory\n"),
        ("ln -s gone d/l; cp -rL ./d x", "cp: can't copy './d/l': No such file or directory\n"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_names_that_were_given(script: str, err: str) -> None:
    assert sh(f"mkdir -p /w/d; cd /w; echo x > f; {script}").err == err


def test_the_room_of_a_file_is_free_when_its_last_name_has_gone() -> None:
    tree = files.FileSystem(lambda: 0.0)
    tree.make_folder("/d")
    before = tree.used
    tree.put("/f", b"x" * 1000)
    tree.share("/f", "/d/g")
    tree.remove("/f")
    assert tree.used > before + 1000
    assert tree.read("/d/g") == b"x" * 1000
    tree.share("/d/g", "/d/h")
    tree.remove("/d", recursive=True)
    tree.make_folder("/d")
    assert tree.used == before


def test_tar_gives_back_what_it_took() -> None:
    found = sh(
        "mkdir -p /a/b; echo one > /a/b/f; ln -s f /a/b/l; tar czf /x.tgz -C /a b; "
        "mkdir /y; tar xf /x.tgz -C /y; cat /y/b/f /y/b/l; tar tf /x.tgz"
    )
    assert found.out == "one\none\nb/\nb/f\nb/l\n"


def test_tar_takes_links_that_lead_nowhere_also_when_they_are_named() -> None:
    found = sh("ln -s /nosuch /l; tar cf /t -C / l && rm /l && tar xf /t -C / && readlink /l")
    assert (found.out, found.err) == ("/nosuch\n", "")


def test_tar_puts_nothing_above_its_folder() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in ("../../etc/hostname", "/etc/hosts"):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(b"evil"))
    script = "mkdir -p /w/x; tar xf - -C /w/x; cat /etc/hostname; cat /w/x/etc/hosts"
    assert sh(script, stdin=made.getvalue()).out == "web-0\nevil"


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, b"\x1f\x8b\x08\x00garbage"])
def test_tar_refuses_what_is_no_archive(data: bytes) -> None:
    found = sh("tar xf -", stdin=data)
    assert found.code in (1, 2)
    assert found.err.startswith("tar: ")


def test_a_small_archive_that_unpacks_to_much_is_refused() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        info = tarfile.TarInfo("big")
        info.size = 64 << 20
        archive.addfile(info, io.BytesIO(bytes(64 << 20)))
    found = sh("tar xf -", stdin=made.getvalue())
    assert (found.code, found.err) == (1, "tar: /big: No space left on device\n")


def test_files_have_a_bound() -> None:
    tree = files.FileSystem(lambda: 0.0)
    file = tree.create("/a")
    tree.write(file, bytes(files.MAX_BYTES - 1024))
    with pytest.raises(OSError, match="No space left"):
        tree.write(file, bytes(2048))
    tree.remove("/a")
    tree.put("/b", bytes(2048))
    with pytest.raises(OSError, match="too long"):
        tree.find("/x" * 4096)


def test_links_in_a_circle_end() -> None:
    tree = files.FileSystem(lambda: 0.0)
    tree.link("/b", "/a")
    tree.link("/a", "/b")
    with pytest.raises(OSError, match="symbolic links"):
        tree.find("/a")


def test_a_pipe_holds_its_writer_back_and_tells_it_when_nobody_reads() -> None:
    async def main() -> None:
        target = kernel()
        pipe = Pipe(8)

        async def write(_process: object) -> int:
            await pipe.write(b"0123456789")
            return 0

        writer = target.fork(["w"], Io(), write)
        assert await pipe.read(4) == b"0123"
        assert await pipe.read() + await pipe.read() == b"456789"
        assert await writer.wait() == 0
        pipe.break_()
        with pytest.raises(BrokenPipe):
            await pipe.write(b"x")

    virtual.run(main())


def test_a_joint_keeps_the_order_of_its_writers() -> None:
    async def main() -> None:
        joint = Joint()
        await joint.writer("a").write(b"1")
        await joint.writer("b").write(b"2")
        joint.end()
        assert [await joint.get() for _ in range(3)] == [("a", b"1"), ("b", b"2"), None]

    virtual.run(main())


def test_a_joint_holds_few_pieces_however_small_they_are() -> None:
    joint = Joint(limit=10_000)
    taken = 0
    while joint.offer("out", b"x"):
        taken += 1
        assert taken < 200
    assert taken > 50


TYPED = [
    (b"echo hi\r", b"echo hi\r\n", b"echo hi\n"),
    (b"exhi\x7f\x7f\x7fcho\r", b"exhi\b \b\b \b\b \bcho\r\n", b"echo\n"),
    (b"no\x15yes\n", b"no\b \b\b \byes\r\n", b"yes\n"),
    (b"a b\x17c\n", b"a b\b \bc\r\n", b"a c\n"),
    (b"a\x1b[Ab\n", b"ab\r\n", b"ab\n"),
    (b"ab\x04", b"ab", b"ab"),
    (b"\x04", b"", b""),
    ("é\x7f\n".encode(), "é\b \b\r\n".encode(), b"\n"),
]


@pytest.mark.parametrize(("typed", "shown", "read"), TYPED)
def test_a_terminal_echoes_and_edits(typed: bytes, shown: bytes, read: bytes) -> None:
    async def main() -> None:
        screen = Collected(1000)
        tty = Tty(screen)
        await tty.type(typed)
        assert bytes(screen.data) == shown
        assert await tty.read() == read

    virtual.run(main())


def test_ctrl_c_is_a_signal_and_takes_the_line_back() -> None:
    async def main() -> None:
        heard: list[int] = []
        tty = Tty(Collected(1000))
        tty.on_signal = heard.append
        await tty.type(b"rubbish\x03ok\n")
        assert heard == [INT]
        assert await tty.read() == b"ok\n"

    virtual.run(main())


def test_an_exec_of_a_program_sees_the_files_of_another() -> None:
    async def main() -> None:
        target = kernel(GREETING="hello")
        await on(target, "sh", "-c", "echo $GREETING > /tmp/x")
        assert (await on(target, "cat", "/tmp/x")).out == "hello\n"

    virtual.run(main())
