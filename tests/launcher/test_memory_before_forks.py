"""What the zygote does to its heap before it is forked, in interpreters that end with a test."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nothing forks here")

GAPS = """
import random
from cluster.launcher import forking
library = forking._library()
if library is None:
    raise SystemExit("no glibc")
draws = random.Random(1)
blocks = [library.malloc(draws.randrange(20, 2_000)) for _ in range(2_000)]
for block in blocks[::3]:
    library.free(block)
end = library.sbrk(0) - library.mallinfo2().keepcost
{fill}
places = [library.malloc(draws.randrange(20, 2_000)) for _ in range(300)]
print(sum(place < end for place in places))
"""
FILES = """
import decimal, re
from pathlib import Path
from cluster.launcher import forking
{load}
def resident():
    text = Path("/proc/self/smaps").read_text()
    return sum(map(int, re.findall(r"_decimal.*?\\nSize.*?\\nPss: +([0-9]+)", text, re.S)))
before = resident()
forking.release_files()
after = resident()
print(int(after < before), decimal.Decimal("1.5") * 2)
"""


def said(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    if "no glibc" in done.stderr:
        pytest.skip("the C library is not glibc 2.33 or newer")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_blocks_go_into_gaps_by_themselves() -> None:
    assert int(said(GAPS.format(fill=""))) > 100


def test_blocks_go_to_the_end_once_gaps_are_filled() -> None:
    assert said(GAPS.format(fill="assert forking.fill_gaps() > 0")) == "0"


def test_a_heap_without_gaps_hardly_grows() -> None:
    """Of each size the C library keeps one block that was taken from the end and given back."""
    program = GAPS.format(fill="forking.fill_gaps(); assert forking.fill_gaps() < 40_000")
    assert said(program) == "0"


def test_the_names_that_types_were_asked_for_are_forgotten() -> None:
    """In Python 3.11 a cached name has one reference more; newer ones keep names for ever."""
    program = """
import sys
from cluster.launcher import forking
class Thing: pass
name = "".join(["some", "thing"])
before = sys.getrefcount(name)
hasattr(Thing, name)
asked = sys.getrefcount(name)
forking.forget_types()
print(asked >= before, sys.getrefcount(name) <= before, sys.getrefcount(name) <= asked)
"""
    assert said(program) == "True True True"


def test_libraries_work_on_after_their_pages_are_released() -> None:
    assert said(FILES.format(load="")) == "1 3.0"
