"""The distinct numbers of an array, without what numpy's own `unique` brings with it.

That one asks whether the array is masked, and imports `numpy.ma` to do so: 8 MB of memory and a
tenth of a second, in the middle of the first pod that fits nowhere.
"""

import numpy as np
from numpy.typing import NDArray


def distinct(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each number once, in order."""
    if not len(numbers):
        return numbers
    ordered = np.sort(numbers)
    first = np.empty(len(ordered), np.bool_)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]
