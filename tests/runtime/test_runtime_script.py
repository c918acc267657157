import math

import pytest

from cluster.runtime import script


def told_of(name, annotations, argv, *, init=False):
    return script.of(name, annotations, script.believed(argv, init=init), init=init)


def test_nothing_scripted_is_the_shared_server():
    assert told_of("web", {}, []) is script.SERVER
    assert told_of("web", {"other": "x"}, ["nginx"]) is script.SERVER


def test_an_init_container_that_is_not_understood_ends_well_at_once():
    assert told_of("setup", {}, ["./migrate"], init=True) == script.Script(run_for=0.0)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"run-for": "90s"}, script.Script(run_for=90.0)),
        ({"run-for": "1m30s", "exit-code": "2"}, script.Script(run_for=90.0, exit_code=2)),
        ({"crash-after": "5"}, script.Script(run_for=5.0, exit_code=1)),
        ({"crash-after": "5", "exit-code": "9"}, script.Script(run_for=5.0, exit_code=9)),
        ({"exit-code": "4"}, script.Script(run_for=0.0, exit_code=4)),
        ({"start-delay": "250ms"}, script.Script(start_delay=0.25)),
        ({"stop-after": "2s"}, script.Script(stop_after=2.0)),
        ({"run-for": "1s", "run-for.web": "2s"}, script.Script(run_for=2.0)),
        ({"run-for.other": "2s"}, script.SERVER),
    ],
)
def test_annotations_script_a_container(annotations, expected):
    told = {script.PREFIX + key: value for key, value in annotations.items()}
    assert told_of("web", told, []) == expected


def test_annotations_of_all_containers_leave_init_containers_alone():
    told = {"kubemu.dev/run-for": "9s"}
    assert told_of("setup", told, [], init=True).run_for == 0.0
    assert told_of("setup", {"kubemu.dev/run-for.setup": "9s"}, [], init=True).run_for == 9.0


def test_a_command_heeds_no_signal_unless_told_to():
    assert told_of("web", {}, ["sleep", "60"]).stop_after == math.inf
    assert told_of("web", {"kubemu.dev/stop-after": "1s"}, ["sleep", "60"]).stop_after == 1.0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("run-for", "soon", "annotation kubemu.dev/run-for: 'soon' is no duration"),
        ("exit-code", "300", "annotation kubemu.dev/exit-code: '300' is no exit code (0 to 255)"),
        ("stop-after", "-1s", "annotation kubemu.dev/stop-after: '-1s' is no duration"),
    ],
)
def test_a_bad_annotation_is_named(key, value, said):
    with pytest.raises(ValueError, match="annotation") as caught:
        told_of("web", {script.PREFIX + key: value}, [])
    assert said in str(caught.value)
