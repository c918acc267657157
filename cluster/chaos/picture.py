"""A report as a picture of its time line: an SVG with faults, nodes, pods and requests one below
the other over the same seconds. The same report gives the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from cluster.chaos import experiment as ex

_WIDTH: Final = 1080
_LEFT: Final = 170
_RIGHT: Final = 30
_ROW: Final = 18
_GRAPH: Final = 56
_GAP: Final = 26
_MOST_ROWS: Final = 20
_GOOD, _BAD, _FAULT, _INK, _FAINT, _LINE = (
    "#4c9f70", "#d1495b", "#e0a030", "#222831", "#68707c", "#d8dde3",
)  # fmt: skip
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


def svg(report: Mapping[str, Any]) -> str:
    """The picture."""
    return _Picture(report).drawn()


class _Picture:
    """Draws from the top to the bottom; `y` is how far it has come."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        self._report = report
        first = [one["bySecond"][0][0] for one in report["probes"] if one.get("bySecond")]
        self._start = float(max(min([0.0, *first]), -10.0))
        self._end = max(float(report["seconds"]), self._start + 1.0)
        self._parts: list[str] = []
        self._y = 0.0

    def drawn(self) -> str:
        self._heading()
        top = self._y
        self._faults()
        self._nodes()
        self._pods()
        for probe in self._report["probes"]:
            if probe.get("bySecond"):
                self._requests(probe)
        self._axis(top)
        self._marks(top)
        height = self._y + 14
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_n(height)}" '
            f'width="{_WIDTH}" height="{_n(height)}" font-family="system-ui, sans-serif" '
            f'font-size="12" fill="{_INK}">'
        )
        title = escape(f"{self._report['experiment']}: {self._report['verdict']}")
        paper = f'<rect width="{_WIDTH}" height="{_n(height)}" fill="#ffffff"/>'
        return "\n".join([head, f"<title>{title}</title>", paper, *self._parts, "</svg>"]) + "\n"

    # ---- lanes -------------------------------------------------------------------------------

    def _heading(self) -> None:
        report = self._report
        colour = {"passed": _GOOD, "failed": _BAD}.get(report["verdict"], _FAINT)
        self._text(16, 26, report["experiment"], size=18, weight="600")
        self._text(_WIDTH - _RIGHT, 26, report["verdict"], anchor="end", size=16, fill=colour)
        told = f"cluster {report['cluster']} ({report['backend']}), {report['started']}"
        self._text(16, 44, told, fill=_FAINT)
        self._y = 44.0
        for reason in report["reasons"][:4]:
            self._y += 16
            self._text(16, self._y, _short(reason, 150), fill=_BAD)
        self._y += 34  # room for the names of the marks

    def _faults(self) -> None:
        self._lane("faults")
        for one in self._report["faults"][:_MOST_ROWS]:
            ended = one["ended"] if one["ended"] is not None else self._end
            left, right = self._x(one["began"]), self._x(ended)
            said = f"{one['do']} {', '.join(one['done to']) or one['target'] or 'the API'}"
            self._label(f"{one['number']}. {one['do']}")
            self._rect(left, self._y + 3, max(right - left, 3.0), _ROW - 6, _FAULT, said)
            inside = right - left > 7.0 * len(_short(said, 60))
            at = left + 5 if inside else min(right + 6, _WIDTH - _RIGHT - 5.5 * len(said))
            self._text(max(at, _LEFT), self._y + 13, _short(said, 60), size=11)
            self._y += _ROW
        self._y += _GAP

    def _nodes(self) -> None:
        nodes = self._report["nodes"]
        if not nodes:
            return
        changed = [name for name in nodes if len(nodes[name]) > 1]
        others = [name for name in nodes if len(nodes[name]) == 1]
        shown = (changed + others)[:_MOST_ROWS]
        self._lane("nodes" if len(shown) == len(nodes) else f"nodes ({len(shown)} of {len(nodes)})")
        for name in sorted(shown):
            self._label(name)
            for left, right, ready in self._spans(nodes[name]):
                colour, said = (_GOOD, "Ready") if ready else (_BAD, "NotReady")
                self._rect(left, self._y + 4, right - left, _ROW - 8, colour, f"{name}: {said}")
            self._y += _ROW
        self._y += _GAP

    def _pods(self) -> None:
        steps = [(float(at), int(count)) for at, count in self._report["readyPods"]]
        if not steps:
            return
        most = max(1, *(count for _, count in steps))
        before = [count for at, count in steps if at <= self._start]
        height = before[-1] if before else 0
        bottom = self._y + _GRAPH
        self._lane(f"pods Ready (up to {most})", _GRAPH)
        points = [(self._x(self._start), height)]
        for at, count in steps:
            if self._start < at <= self._end:
                points += [(self._x(at), height), (self._x(at), count)]
                height = count
        points.append((self._x(self._end), height))
        line = " ".join(
            f"{_n(x)},{_n(bottom - count / most * (_GRAPH - 6))}" for x, count in points
        )
        self._parts.append(
            f'<polyline points="{line}" fill="none" stroke="{_INK}" stroke-width="1.5"/>'
        )
        self._y = bottom + _GAP

    def _requests(self, probe: Mapping[str, Any]) -> None:
        seconds: Sequence[Sequence[int]] = probe["bySecond"]
        most = max(1, *(good + bad for _, good, bad in seconds))
        said = f"{probe['name']}: {probe['availability'] * 100:.2f}%"
        bottom = self._y + _GRAPH
        self._lane(f"{said}, {probe['failed']} of {probe['requests']} failed", _GRAPH)
        step = _WIDTH - _LEFT - _RIGHT
        wide = max(step / (self._end - self._start) - 0.5, 0.5)
        for second, good, bad in seconds:
            if not self._start <= second < self._end:
                continue
            x, tall = self._x(second), _GRAPH - 6
            high, low = good / most * tall, bad / most * tall
            fits = min(wide, _WIDTH - _RIGHT - x)
            if good:
                self._rect(x, bottom - high, fits, high, _GOOD)
            if bad:
                self._rect(x, bottom - high - low, fits, low, _BAD, f"{bad} failed at {second} s")
        self._outages(probe, bottom)
        self._y = bottom + _GAP

    def _outages(self, probe: Mapping[str, Any], bottom: float) -> None:
        """Below the bars, for a request that failed for one that was answered is easily missed."""
        for began, ended, failed in probe.get("outages") or ():
            left, right = self._x(began), self._x(self._end if ended is None else ended)
            until = "the end" if ended is None else f"{ended:+.1f} s"
            said = f"{probe['name']}: outage from {began:+.1f} s to {until}, {failed} failed"
            self._rect(
                min(left, _WIDTH - _RIGHT - 2), bottom + 1, max(right - left, 2.0), 4, _BAD, said
            )

    def _axis(self, top: float) -> None:
        span = self._end - self._start
        step = next((one for one in _STEPS if span / one <= 14), _STEPS[-1])
        bottom = self._y - _GAP + 6
        tick = -(-int(self._start) // step) * step
        lines = []
        while tick <= self._end:
            x = self._x(tick)
            lines.append(_line(x, top, x, bottom, _LINE))
            self._text(x, bottom + 14, f"{tick} s", anchor="middle", size=11, fill=_FAINT)
            tick += step
        self._parts[:0] = lines  # behind all else
        self._y = bottom + 18

    def _marks(self, top: float) -> None:
        """Lines where the cluster did something: of the first fault of which it is known."""
        taken: list[float] = []
        for at, title in sorted(self._known()):
            x = self._x(min(at, self._end))
            self._parts.append(_line(x, top - 6, x, self._y - 18, _INK, dashed=True))
            row = sum(abs(x - other) < 110 for other in taken) % 3
            taken.append(x)
            end = x > _WIDTH - 150
            self._text(
                x - 3 if end else x + 3, top - 8 + 9 * row - 9, f"{title} {at:+.1f} s",
                anchor="end" if end else "start", size=10,
            )  # fmt: skip

    def _known(self) -> Iterator[tuple[float, str]]:
        for mark, title in ex.MARK_TITLES.items():
            for one in self._report["faults"]:
                if one[mark] is not None and (mark != ex.RECOVERED or one[mark] > 0):
                    base = one["ended"] if mark == ex.RECOVERED else one["began"]
                    yield base + one[mark], title
                    break

    # ---- strokes -----------------------------------------------------------------------------

    def _lane(self, title: str, height: float = 0.0) -> None:
        self._text(_LEFT, self._y - 5, title, size=11, weight="600", fill=_FAINT)
        if height:
            y = self._y + height
            self._parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y, _LINE))

    def _label(self, text: str) -> None:
        self._text(_LEFT - 10, self._y + 13, _short(text, 24), anchor="end")

    def _spans(self, changes: Sequence[Sequence[Any]]) -> Iterator[tuple[float, float, bool]]:
        for position, (at, ready) in enumerate(changes):
            begin = self._start if at is None else max(at, self._start)
            more = position + 1 < len(changes)
            end = min(changes[position + 1][0], self._end) if more else self._end
            if end > begin:
                yield self._x(begin), self._x(end), ready

    def _x(self, seconds: float) -> float:
        share = (seconds - self._start) / (self._end - self._start)
        return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)

    def _rect(self, x: float, y: float, width: float, height: float, fill: str, *said: str) -> None:
        shape = (
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="{fill}"'
        )
        title = "".join(f"<title>{escape(text)}</title>" for text in said)
        self._parts.append(f"{shape}>{title}</rect>" if title else f"{shape}/>")

    def _text(
        self, x: float, y: float, text: str, *, anchor: str = "start", size: int = 12,
        weight: str = "", fill: str = "",
    ) -> None:  # fmt: skip
        more = f' text-anchor="{anchor}"' if anchor != "start" else ""
        more += f' font-size="{size}"' if size != 12 else ""
        more += f' font-weight="{weight}"' if weight else ""
        more += f' fill="{fill}"' if fill else ""
        self._parts.append(f'<text x="{_n(x)}" y="{_n(y)}"{more}>{escape(text)}</text>')


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="3 3"' if dashed else ""
    return (
        f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" stroke="{colour}"{dashes}/>'
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _n(number: float) -> str:
    """A number in few digits, the same on every machine."""
    return f"{number:.1f}".removesuffix(".0")
