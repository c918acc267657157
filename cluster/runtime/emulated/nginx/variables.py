"""Words with variables in them: `$host`, `${uri}`, `$1`. Pure."""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\d)|([A-Za-z_]\w*))")
MAX_TEXT: Final = 64 << 10
"""Characters that a word may grow to."""

PREFIXES: Final = ("arg_", "http_", "cookie_", "sent_http_", "upstream_http_", "sent_trailer_")
_KNOWN_TEXT: Final = (
    "args binary_remote_addr body_bytes_sent bytes_sent connection connection_requests "
    "connection_time content_length content_type document_root document_uri host hostname https "
    "is_args limit_rate msec nginx_version pid pipe proxy_add_x_forwarded_for proxy_host "
    "proxy_port proxy_protocol_addr proxy_protocol_port query_string realpath_root "
    "realip_remote_addr "
    "realip_remote_port remote_addr remote_port remote_user request request_body "
    "request_body_file request_completion request_filename request_id request_length "
    "request_method request_time request_uri scheme server_addr server_name server_port "
    "server_protocol ssl_cipher ssl_protocol ssl_server_name ssl_session_id ssl_client_s_dn "
    "ssl_client_verify ssl_session_reused status tcpinfo_rtt time_iso8601 time_local "
    "upstream_addr upstream_bytes_received "
    "upstream_bytes_sent upstream_cache_status upstream_connect_time upstream_header_time "
    "upstream_response_length upstream_response_time upstream_status uri http2 "
    "connections_active connections_reading connections_writing connections_waiting "
    "invalid_referer fastcgi_script_name fastcgi_path_info gzip_ratio"
)
KNOWN: Final = frozenset(_KNOWN_TEXT.split())

Look = Callable[[str], str]


class Word(NamedTuple):
    """A word, in pieces: text as it is, and names of variables."""

    pieces: tuple[tuple[bool, str], ...]

    @property
    def constant(self) -> bool:
        """Whether it has no variables."""
        return not any(variable for variable, _ in self.pieces)

    @property
    def names(self) -> Sequence[str]:
        """Its variables."""
        return [name for variable, name in self.pieces if variable]

    def of(self, look: Look) -> str:
        """The word with the values of its variables."""
        made = "".join(look(text) if variable else text for variable, text in self.pieces)
        return made[:MAX_TEXT]


def compiled(text: str) -> Word:
    """A word that was read."""
    pieces: list[tuple[bool, str]] = []
    at = 0
    for match in _VARIABLE.finditer(text):
        if match.start() > at:
            pieces.append((False, text[at : match.start()]))
        pieces.append((True, (match[1] or match[2] or match[3]).lower()))
        at = match.end()
    if at < len(text):
        pieces.append((False, text[at:]))
    return Word(tuple(pieces))


def known(name: str, own: frozenset[str]) -> bool:
    """Whether there is a variable of that name; `own` are those that the configuration makes."""
    return name.isdigit() or name in KNOWN or name in own or name.startswith(PREFIXES)
