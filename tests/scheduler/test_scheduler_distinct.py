"""Distinct numbers, and what the scheduler must not import to find them."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.scheduler.nodes.distinct import distinct


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_each_number_is_there_once_and_in_order(numbers: list[int]) -> None:
    assert distinct(np.array(numbers, np.int64)).tolist() == sorted(set(numbers))


@pytest.mark.parametrize("numbers", ["[]", "[3, 1, 3]"])
def test_masked_arrays_are_not_imported_for_it(numbers: str) -> None:
    program = (
        "import sys, numpy as np\n"
        "from cluster.scheduler.nodes.distinct import distinct\n"
        f"distinct(np.array({numbers}, np.int64))\n"
        "sys.exit('numpy.ma' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
