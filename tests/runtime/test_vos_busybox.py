"""busybox as a program: its applets by name, and what it tells of them."""

from vosworld import sh


def test_busybox_runs_an_applet_with_its_words_and_status() -> None:
    found = sh("busybox echo one two; busybox sh -c 'exit 3'; echo $?; echo hi | busybox cat")
    assert (found.out, found.err) == ("one two\n3\nhi\n", "")


def test_busybox_tells_which_applets_there_are() -> None:
    listed = sh("busybox --list")
    names = listed.out.split()
    assert names == sorted(names)
    assert {"sh", "ash", "wget", "httpd", "nc", "[", "vi"} - set(names) == {"vi"}
    assert not {"bash", "curl", "busybox"} & set(names)
    alone = sh("busybox")
    assert alone.out.startswith("BusyBox v")
    told = alone.out.partition("Currently defined functions:\n")[2]
    assert [one.strip() for one in told.split(",")] == names
    assert sh("busybox --list-full").out.split()[0].startswith("bin/")


def test_busybox_refuses_what_is_no_applet() -> None:
    found = sh("busybox nosuch; echo $?; busybox bash -c true; echo $?")
    assert found.out == "127\n127\n"
    assert found.err == "nosuch: applet not found\nbash: applet not found\n"
