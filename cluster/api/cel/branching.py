"""`&&`, `||` and `?:`: what does not matter is not evaluated, nor do its errors matter."""

from typing import Any

from cluster.api.cel.ast import Conditional, Logic
from cluster.api.cel.closures import Build, Code, boolean
from cluster.api.cel.faults import CostExceeded, EvaluationError
from cluster.api.cel.values import Frame


def logic(tree: Logic, build: Build) -> Code:
    """A chain of `&&` or of `||`."""
    parts = [boolean(build(part), part.type) for part in tree.parts]
    if len(parts) == 2:
        run = _both(*parts) if tree.every else _either(*parts)
        return Code(run, parts[0].cost)
    return Code(_chain(parts, decisive=not tree.every), parts[0].cost)


def _both(first: Code, second: Code) -> Any:
    left, right, cost = first.run, second.run, second.cost

    def run(frame: Frame) -> Any:
        try:
            if not left(frame):
                return False
        except CostExceeded:
            raise
        except EvaluationError as error:
            return _settled(frame, second, error, decisive=False)
        frame[0] += cost
        return right(frame)

    return run


def _either(first: Code, second: Code) -> Any:
    left, right, cost = first.run, second.run, second.cost

    def run(frame: Frame) -> Any:
        try:
            if left(frame):
                return True
        except CostExceeded:
            raise
        except EvaluationError as error:
            return _settled(frame, second, error, decisive=True)
        frame[0] += cost
        return right(frame)

    return run


def _settled(frame: Frame, other: Code, error: EvaluationError, *, decisive: bool) -> bool:
    """The other side decides, or the error of the first one stands."""
    frame[0] += other.cost
    try:
        found: bool = other.run(frame)
        if found is decisive:
            return found
    except CostExceeded:
        raise
    except EvaluationError:
        raise error from None
    raise error


def _chain(parts: list[Code], *, decisive: bool) -> Any:
    first = parts[0].run
    rest = [(part.run, part.cost) for part in parts[1:]]

    def run(frame: Frame) -> Any:
        fault: EvaluationError | None = None
        try:
            if first(frame) is decisive:
                return decisive
        except CostExceeded:
            raise
        except EvaluationError as error:
            fault = error
        for part, cost in rest:
            frame[0] += cost
            try:
                if part(frame) is decisive:
                    return decisive
            except CostExceeded:
                raise
            except EvaluationError as error:
                fault = fault or error
        if fault is not None:
            raise fault
        return not decisive

    return run


def conditional(tree: Conditional, build: Build) -> Code:
    """`test ? yes : no`."""
    test = boolean(build(tree.test), tree.test.type)
    yes, no = build(tree.yes), build(tree.no)
    asked, first, first_cost, second, second_cost = (
        test.run, yes.run, yes.cost, no.run, no.cost
    )  # fmt: skip

    def run(frame: Frame) -> Any:
        if asked(frame):
            frame[0] += first_cost
            return first(frame)
        frame[0] += second_cost
        return second(frame)

    return Code(run, test.cost)
