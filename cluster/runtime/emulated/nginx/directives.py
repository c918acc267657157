"""Which directives nginx knows, where they may stand, and how many words they take. Pure.

`BUILT` ones do here what they do in nginx; `MATTER` ones would change what a client sees and are
not built, which is said in the error log; what is left makes no difference here (workers, buffers,
sockets' options) and is passed over in silence.
"""

from collections.abc import Callable, Sequence
from typing import Final

_HSL: Final = "http server location if"
_ANY: Final = "http server location"
_ROWS: Final = {
    # contexts: names, each with its numbers of words (`*` any, `+` one or more, `{` a block)
    "main": "daemon:1 env:1 include:1 load_module:1 lock_file:1 master_process:1 pcre_jit:1 pid:1 "
    "ssl_engine:1 thread_pool:23 timer_resolution:1 user:12 worker_cpu_affinity:+ "
    "worker_priority:1 worker_processes:1 worker_rlimit_core:1 worker_rlimit_nofile:1 "
    "worker_shutdown_timeout:1 working_directory:1 events:0{ http:0{ stream:0{ mail:0{",
    "events": "accept_mutex:1 accept_mutex_delay:1 multi_accept:1 use:1 worker_aio_requests:1 "
    "worker_connections:1 debug_connection:1",
    "main http server location": "error_log:+",
    "http": "server:0{ upstream:1{ map:2{ geo:12{ split_clients:2{ limit_req_zone:3 "
    "limit_conn_zone:2 log_format:+ proxy_cache_path:+ map_hash_bucket_size:1 map_hash_max_size:1 "
    "server_names_hash_bucket_size:1 server_names_hash_max_size:1 variables_hash_max_size:1 "
    "variables_hash_bucket_size:1 fastcgi_cache_path:+ js_import:+ js_path:1 perl_modules:1",
    "http server": "client_header_buffer_size:1 client_header_timeout:1 "
    "connection_pool_size:1 ignore_invalid_headers:1 large_client_header_buffers:2 "
    "merge_slashes:1 request_pool_size:1 underscores_in_headers:1 ssl_certificate:1 "
    "ssl_certificate_key:1 ssl_protocols:+ ssl_ciphers:1 ssl_session_cache:+ "
    "ssl_session_timeout:1 ssl_session_tickets:1 ssl_prefer_server_ciphers:1 ssl_dhparam:1 "
    "ssl_ecdh_curve:1 ssl_stapling:1 ssl_stapling_verify:1 ssl_trusted_certificate:1 "
    "ssl_client_certificate:1 ssl_verify_client:1 ssl_verify_depth:1 ssl_buffer_size:1 "
    "ssl_password_file:1 ssl_early_data:1 ssl_conf_command:2 http2:1 http3:1 "
    "http2_max_concurrent_streams:1 http2_recv_timeout:1 keepalive_min_timeout:1",
    "server": "listen:+ server_name:+ location:12{",
    "location": "location:12{ alias:1 internal:0 limit_except:+{ stub_status:01 empty_gif:0 "
    "flv:0 mp4:0 js_content:1",
    "server location": "try_files:+",
    "location if limit_except": "proxy_pass:1 fastcgi_pass:1 uwsgi_pass:1 scgi_pass:1 grpc_pass:1 "
    "memcached_pass:1",
    "server location if": "return:12 rewrite:23 set:2 break:0 if:+{ rewrite_log:1 "
    "uninitialized_variable_warn:1",
    "http server location if limit_except": "access_log:+ allow:1 deny:1 auth_basic:1 "
    "auth_basic_user_file:1",
    _HSL: "root:1 add_header:23 add_trailer:23 error_page:+ expires:12 gzip:1 limit_rate:1 "
    "limit_rate_after:1 sendfile:1",
    _ANY: "absolute_redirect:1 aio:1 aio_write:1 autoindex:1 autoindex_exact_size:1 "
    "autoindex_format:1 autoindex_localtime:1 charset:1 charset_types:+ override_charset:1 "
    "source_charset:1 chunked_transfer_encoding:1 client_body_buffer_size:1 "
    "client_body_in_file_only:1 client_body_in_single_buffer:1 client_body_temp_path:+ "
    "client_body_timeout:1 client_max_body_size:1 default_type:1 types:0{ directio:1 "
    "directio_alignment:1 disable_symlinks:+ etag:1 gunzip:1 gzip_buffers:2 gzip_comp_level:1 "
    "gzip_disable:+ gzip_http_version:1 gzip_min_length:1 gzip_proxied:+ gzip_static:1 "
    "gzip_types:+ gzip_vary:1 if_modified_since:1 index:+ keepalive_disable:+ "
    "keepalive_requests:1 keepalive_time:1 keepalive_timeout:12 lingering_close:1 "
    "lingering_time:1 lingering_timeout:1 limit_conn:2 limit_conn_log_level:1 "
    "limit_conn_status:1 limit_req:123 limit_req_log_level:1 limit_req_status:1 "
    "log_not_found:1 log_subrequest:1 max_ranges:1 mirror:1 mirror_request_body:1 "
    "msie_padding:1 msie_refresh:1 open_file_cache:12 open_file_cache_errors:1 "
    "open_file_cache_min_uses:1 open_file_cache_valid:1 open_log_file_cache:+ output_buffers:2 "
    "port_in_redirect:1 postpone_output:1 read_ahead:1 real_ip_header:1 real_ip_recursive:1 "
    "recursive_error_pages:1 reset_timedout_connection:1 resolver:+ resolver_timeout:1 "
    "satisfy:1 send_lowat:1 send_timeout:1 sendfile_max_chunk:1 server_name_in_redirect:1 "
    "server_tokens:1 set_real_ip_from:1 ssi:1 sub_filter:2 sub_filter_last_modified:1 "
    "sub_filter_once:1 sub_filter_types:+ tcp_nodelay:1 tcp_nopush:1 types_hash_bucket_size:1 "
    "types_hash_max_size:1 auth_request:1 auth_request_set:2 secure_link:1 secure_link_md5:1 "
    "userid:1 valid_referers:+ subrequest_output_buffer_size:1 image_filter:+ addition_types:+ "
    "add_before_body:1 add_after_body:1 xslt_stylesheet:+ perl:1 js_header_filter:1 "
    "js_body_filter:1 js_set:2",
}  # fmt: skip
_PROXIES: Final = (
    "bind:12 buffer_size:1 buffering:1 buffers:2 busy_buffers_size:1 cache:1 "
    "cache_background_update:1 "
    "cache_bypass:+ cache_key:1 cache_lock:1 cache_lock_age:1 cache_lock_timeout:1 "
    "cache_max_range_offset:1 cache_methods:+ cache_min_uses:1 cache_revalidate:1 "
    "cache_use_stale:+ cache_valid:+ connect_timeout:1 force_ranges:1 hide_header:1 "
    "ignore_client_abort:1 ignore_headers:+ intercept_errors:1 limit_rate:1 "
    "max_temp_file_size:1 next_upstream:+ next_upstream_timeout:1 next_upstream_tries:1 "
    "no_cache:+ pass_header:1 pass_request_body:1 pass_request_headers:1 read_timeout:1 "
    "request_buffering:1 send_lowat:1 send_timeout:1 socket_keepalive:1 "
    "ssl_certificate:1 ssl_certificate_key:1 ssl_ciphers:1 ssl_name:1 ssl_protocols:+ "
    "ssl_server_name:1 ssl_session_reuse:1 ssl_trusted_certificate:1 ssl_verify:1 "
    "ssl_verify_depth:1 store:1 store_access:+ temp_file_write_size:1 temp_path:+"
)
_PROXY_ALONE: Final = (
    "proxy_set_header:2 proxy_http_version:1 proxy_method:1 proxy_redirect:12 proxy_set_body:1 "
    "proxy_cookie_domain:12 proxy_cookie_path:12 proxy_cookie_flags:+ "
    "proxy_headers_hash_bucket_size:1 proxy_headers_hash_max_size:1 fastcgi_param:23 "
    "fastcgi_index:1 fastcgi_split_path_info:1 fastcgi_keep_conn:1 fastcgi_catch_stderr:1 "
    "uwsgi_param:23 scgi_param:23 grpc_set_header:2"
)
_UPSTREAM: Final = (
    "server:+ keepalive:1 keepalive_requests:1 keepalive_timeout:1 keepalive_time:1 least_conn:0 "
    "ip_hash:0 hash:12 random:* zone:12 resolver:+ resolver_timeout:1 state:1 sticky:+"
)
_FREE: Final = frozenset(("types", "map", "geo", "split_clients", "stream", "mail", "free"))
"""Blocks whose lines are no directives, or are read no further."""


def _table() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    rows = dict(_ROWS) | {"upstream": _UPSTREAM}
    for prefix in ("proxy", "fastcgi", "uwsgi", "scgi", "grpc"):
        words = " ".join(f"{prefix}_{one}" for one in _PROXIES.split())
        rows[_ANY] = f"{rows[_ANY]} {words}"
    rows[_ANY] = f"{rows[_ANY]} {_PROXY_ALONE}"
    for contexts, names in rows.items():
        for context in contexts.split():
            for name in names.split():
                word, _, counts = name.partition(":")
                found.setdefault(word, {})[context] = counts
    return found


_TABLE: Final = _table()

_MATTER_TEXT: Final = (
    "limit_req limit_conn auth_request fastcgi_pass uwsgi_pass scgi_pass grpc_pass memcached_pass "
    "geo split_clients stream mail load_module sub_filter ssi mirror secure_link image_filter "
    "js_content perl add_trailer limit_rate proxy_cache fastcgi_cache xslt_stylesheet "
    "add_before_body add_after_body valid_referers limit_except userid set_real_ip_from "
    "http3 mp4 flv proxy_store ssl_verify_client"
)
MATTER: Final = frozenset(_MATTER_TEXT.split())

Fault = Callable[[str], Exception]


def check(name: str, args: Sequence[str], opens: bool, context: str, fault: Fault) -> None:
    """Raise `fault(message)` for a directive that nginx would not have here."""
    if context in _FREE:
        return
    places = _TABLE.get(name)
    if places is None:
        raise fault(f'unknown directive "{name}"')
    counts = places.get(context)
    if counts is None:
        raise fault(f'"{name}" directive is not allowed here')
    if counts.endswith("{") and not opens:
        raise fault(f'directive "{name}" has no opening "{{"')
    if opens and not counts.endswith("{"):
        raise fault(f'directive "{name}" is not terminated by ";"')
    if not _fits(counts.removesuffix("{"), len(args)):
        raise fault(f'invalid number of arguments in "{name}" directive')


def _fits(counts: str, number: int) -> bool:
    if counts == "*":
        return True
    return number > 0 if counts == "+" else str(number) in counts


def context_of(name: str, context: str) -> str:
    """The context in the block of a directive."""
    return "free" if context in _FREE else name
