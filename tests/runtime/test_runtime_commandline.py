import math

import pytest

from cluster.runtime.commandline import Course, course, understood

WAITING = [
    (["true"], 0, 0),
    (["/bin/false"], 0, 1),
    (["sleep", "5"], 5, 0),
    (["sleep", "1m", "2s"], 62, 0),
    (["sleep", "infinity"], math.inf, 0),
    (["sh", "-c", "exit 3"], 0, 3),
    (["sh", "-c", "exit 256"], 0, 0),
    (["sh", "-c", "exec sleep 4"], 4, 0),
    (["/bin/sh", "-ec", "sleep 3600"], 3600, 0),
]

SCRIPTS = [
    ["/bin/sh", "-c", "echo hello; sleep 2; exit 7"],
    ["bash", "-c", "false && sleep 9"],
    ["sh", "-c", "while true; do date >> /tmp/x; sleep 1; done"],
    ["sh", "-c", "sleep $(cat /x)"],
    ["sh", "-c", "sleep 5 | cat"],
    ["sh", "-c", "wait_for() { sleep 1; }; wait_for && exec tail -f /dev/null"],
    ["sh"],
    ["echo", "hello"],
    ["sh", "-c", "until nslookup db; do sleep 1; done"],
]

NOT_UNDERSTOOD = [
    ["nginx", "-g", "daemon off;"],
    [],
    ["sh", "-c", "dig example.com && sleep 5"],
    ["sh", "-c", "true || nginx"],
    ["sh", "-c", "exec gunicorn app"],
    ["sh", "-c", "echo 'open"],
    ["sh", "-c", "while true; do nginx; done"],
    ["sh", "-c", "x=$(python -V); echo $x"],
    ["sh", "/scripts/run.sh"],
]


@pytest.mark.parametrize(("argv", "seconds", "code"), WAITING)
def test_a_command_that_only_waits_needs_no_process(argv, seconds, code):
    assert course(argv) == Course(seconds, code)


@pytest.mark.parametrize("argv", SCRIPTS)
def test_a_script_of_known_programs_is_run(argv):
    assert course(argv) is None
    assert understood(argv)


@pytest.mark.parametrize("argv", NOT_UNDERSTOOD)
def test_a_program_of_the_image_is_left_to_the_image(argv):
    assert course(argv) is None
    assert not understood(argv)


@pytest.mark.parametrize("argv", [["sleep"], ["sleep", "-1"], ["sleep", "soon"]])
def test_a_wrong_time_is_left_to_sleep_itself(argv):
    assert course(argv) is None
    assert understood(argv)
