import math

import pytest

from cluster.runtime.commandline import Course, course

UNDERSTOOD = [
    (["true"], 0, 0),
    (["/bin/false"], 0, 1),
    (["sleep", "5"], 5, 0),
    (["sleep", "1m", "2s"], 62, 0),
    (["sleep", "infinity"], math.inf, 0),
    (["sh", "-c", "exit 3"], 0, 3),
    (["sh", "-c", "exit 256"], 0, 0),
    (["/bin/sh", "-c", "echo hello; sleep 2; exit 7"], 2, 7),
    (["bash", "-c", "false && sleep 9"], 0, 1),
    (["sh", "-c", "false || exit 4"], 0, 4),
    (["sh", "-c", "true || exit 4"], 0, 0),
    (["sh", "-c", "sleep 1 && exit 2; exit 9"], 1, 2),
    (["sh", "-c", "while true; do date >> /tmp/x; sleep 1; done"], math.inf, 0),
    (["sh", "-c", "sleep 3; while :; do sleep 5; done"], math.inf, 0),
    (["sh", "-c", "echo bye > /dev/termination-log 2>&1; exit 1"], 0, 1),
    (["sh", "-c", "exec sleep 4"], 4, 0),
    (["sh", "-c", "sleep 1\nexit 5"], 1, 5),
]

NOT_UNDERSTOOD = [
    ["nginx", "-g", "daemon off;"],
    [],
    ["sleep"],
    ["sleep", "-1"],
    ["sleep", "soon"],
    ["sh"],
    ["sh", "-c", "curl example.com && sleep 5"],
    ["sh", "-c", "sleep $(cat /x)"],
    ["sh", "-c", "until nslookup db; do sleep 1; done"],
    ["sh", "-c", "true || nginx"],
    ["sh", "-c", "echo 'open"],
    ["sh", "-c", "sleep 5 | cat"],
    ["sh", "-c", "while true; do nginx; done"],
]


@pytest.mark.parametrize(("argv", "seconds", "code"), UNDERSTOOD)
def test_a_command_that_is_understood_has_a_course(argv, seconds, code):
    assert course(argv) == Course(seconds, code)


@pytest.mark.parametrize("argv", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_left_to_the_image(argv):
    assert course(argv) is None
