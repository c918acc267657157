"""What came of a transfer, and how `--write-out` and the progress meter tell it. Pure."""

import json
import re
from dataclasses import dataclass, field
from typing import Final

from cluster.runtime.vos.sockets import Endpoint

_NOWHERE: Final = Endpoint("", 0)
_VARIABLE: Final = re.compile(r"%(?:%|\{([^}]{0,100})\})|\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


class Failed(Exception):
    """A transfer failed: `code` is curl's own."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"({code}) {text}")
        self.code = code


@dataclass(slots=True)
class Result:
    """A transfer. Times are seconds since its begin."""

    url: str
    effective: str = ""
    method: str = "GET"
    scheme: str = ""
    status: int = 0
    version: str = "0"
    headers: list[tuple[str, str]] = field(default_factory=list)
    size: int = 0
    expected: int | None = None
    header_size: int = 0
    request_size: int = 0
    uploaded: int = 0
    redirects: int = 0
    connects: int = 0
    redirect_url: str = ""
    local: Endpoint = _NOWHERE
    remote: Endpoint = _NOWHERE
    times: dict[str, float] = field(default_factory=dict)
    filename: str = ""
    code: int = 0
    error: str = ""

    def header(self, name: str) -> str:
        """The first value of a header of the last answer."""
        lower = name.lower()
        return next((value for key, value in self.headers if key.lower() == lower), "")

    @property
    def total(self) -> float:
        """How long it took."""
        return self.times.get("total", 0.0)

    def variables(self) -> dict[str, str | int]:
        """What `--write-out` knows."""
        times = ("namelookup", "connect", "appconnect", "pretransfer", "starttransfer", "redirect",
                 "total")  # fmt: skip
        return {
            "http_code": f"{self.status:03}", "response_code": f"{self.status:03}",
            "http_connect": "000", "http_version": self.version, "method": self.method,
            "scheme": self.scheme, "url": self.url, "url_effective": self.effective or self.url,
            "content_type": self.header("content-type"), "redirect_url": self.redirect_url,
            "num_redirects": self.redirects, "num_connects": self.connects,
            "num_headers": len(self.headers), "size_download": self.size,
            "size_header": self.header_size, "size_upload": self.uploaded,
            "size_request": self.request_size, "speed_download": self.speed(self.size),
            "speed_upload": self.speed(self.uploaded), "local_ip": self.local.address,
            "local_port": self.local.port, "remote_ip": self.remote.address,
            "remote_port": self.remote.port, "exitcode": self.code,
            "errormsg": self.error.partition(") ")[2], "ssl_verify_result": "0", "urlnum": "0",
            "filename_effective": self.filename, "onerror": "", "stdout": "", "stderr": "",
            **{f"time_{name}": f"{self.times.get(name, 0.0):.6f}" for name in times},
        }  # fmt: skip

    def speed(self, size: int) -> int:
        """Bytes in a second, of so many."""
        return int(size / self.total) if self.total > 0 else 0


def written(form: str, result: Result) -> tuple[str, str]:
    """What `--write-out FORM` prints, and a warning about what it does not know."""
    known = result.variables()
    unknown: list[str] = []

    def one(found: re.Match[str]) -> str:
        name = found[1]
        if found[2] is not None:
            return _ESCAPES.get(found[2], f"\\{found[2]}")
        if name is None:
            return "%"
        if name == "json":
            return json.dumps(known, separators=(",", ":"))
        if name.startswith("header{"):
            return result.header(name[7:])
        if name in known:
            return str(known[name])
        unknown.append(name)
        return ""

    # `%header{NAME}` has its name before the brace.
    text = re.sub(r"%header\{([^}]{0,100})\}", r"%{header{\1}", form)
    made = _VARIABLE.sub(one, text)
    warning = "".join(f"curl: unknown --write-out variable: '{name}'\n" for name in unknown)
    return made, warning


METER: Final = (
    "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
    "                                 Dload  Upload   Total   Spent    Left  Speed\n"
)


def meter(result: Result) -> str:
    """A line of the progress meter."""
    total = result.size if result.expected is None else result.expected
    whole = total + result.uploaded
    percent = 100 if whole else 0
    down = 100 if result.size else 0
    up = 100 if result.uploaded else 0
    seconds = int(result.total)
    spent = f"{seconds // 3600:2}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    shown = spent if seconds else "--:--:--"
    speed = result.speed(result.size)
    return (
        f"\r{percent:3} {whole:5}  {down:3} {result.size:5}  {up:3} {result.uploaded:5}  "
        f"{speed:5}  {result.speed(result.uploaded):5} {shown} {shown} --:--:-- {speed:5}"
    )
