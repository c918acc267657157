"""The files of the nginx images."""

from typing import Final

from cluster.runtime.emulated.nginx import pages

MAIN: Final = """
user  nginx;
worker_processes  auto;

error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;


events {
    worker_connections  1024;
}


http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;

    log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';

    access_log  /var/log/nginx/access.log  main;

    sendfile        on;
    #tcp_nopush     on;

    keepalive_timeout  65;

    #gzip  on;

    include /etc/nginx/conf.d/*.conf;
}
"""
DEFAULT: Final = """server {
    listen       80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
"""
_ENDS: Final = {
    "text/html": "html htm shtml", "text/css": "css", "text/xml": "xml", "image/gif": "gif",
    "image/jpeg": "jpeg jpg", "application/javascript": "js", "application/atom+xml": "atom",
    "application/rss+xml": "rss", "text/mathml": "mml", "text/plain": "txt",
    "image/avif": "avif", "image/png": "png", "image/svg+xml": "svg svgz", "image/tiff": "tif tiff",
    "image/webp": "webp", "image/x-icon": "ico", "image/x-ms-bmp": "bmp", "font/woff": "woff",
    "font/woff2": "woff2", "application/java-archive": "jar war ear",
    "application/json": "json", "application/msword": "doc", "application/pdf": "pdf",
    "application/wasm": "wasm", "application/vnd.ms-excel": "xls",
    "application/x-7z-compressed": "7z", "application/xhtml+xml": "xhtml",
    "application/zip": "zip", "application/octet-stream": "bin exe dll deb dmg iso img msi",
    "audio/midi": "mid midi", "audio/mpeg": "mp3", "audio/ogg": "ogg", "video/mp4": "mp4",
    "video/mpeg": "mpeg mpg", "video/quicktime": "mov", "video/webm": "webm",
}  # fmt: skip
_LINES: Final = "".join(f"    {kind:<40} {ends};\n" for kind, ends in _ENDS.items())
TYPES: Final = f"\ntypes {{\n{_LINES}}}\n"
_FASTCGI: Final = """
fastcgi_param  QUERY_STRING       $query_string;
fastcgi_param  REQUEST_METHOD     $request_method;
fastcgi_param  SCRIPT_NAME        $fastcgi_script_name;
fastcgi_param  REQUEST_URI        $request_uri;
fastcgi_param  DOCUMENT_ROOT      $document_root;
"""

_COMMON: Final = {
    "/etc/nginx/nginx.conf": MAIN,
    "/etc/nginx/conf.d/default.conf": DEFAULT,
    "/etc/nginx/mime.types": TYPES,
    "/etc/nginx/fastcgi_params": _FASTCGI,
    "/usr/share/nginx/html/index.html": pages.WELCOME,
    "/usr/share/nginx/html/50x.html": pages.TROUBLE,
    "/var/log/nginx/access.log": "",
    "/var/log/nginx/error.log": "",
    "/var/cache/nginx/": "",
    "/docker-entrypoint.d/": "",
}
LIBRARY: Final = _COMMON
UNPRIVILEGED: Final = _COMMON | {
    "/etc/nginx/nginx.conf": MAIN.replace("user  nginx;\n", "").replace(
        "/run/nginx.pid", "/tmp/nginx.pid"
    ),
    "/etc/nginx/conf.d/default.conf": DEFAULT.replace(" 80;", " 8080;"),
}
BITNAMI: Final = {
    "/opt/bitnami/nginx/conf/nginx.conf": MAIN.replace("/etc/nginx/", "/opt/bitnami/nginx/conf/")
    .replace("conf.d/", "server_blocks/")
    .replace("/run/nginx.pid", "/opt/bitnami/nginx/tmp/nginx.pid"),
    "/opt/bitnami/nginx/conf/mime.types": TYPES,
    "/opt/bitnami/nginx/conf/server_blocks/default.conf": DEFAULT.replace(" 80;", " 8080;").replace(
        "/usr/share/nginx/html", "/opt/bitnami/nginx/html"
    ),
    "/opt/bitnami/nginx/html/index.html": pages.WELCOME,
    "/opt/bitnami/nginx/html/50x.html": pages.TROUBLE,
    "/opt/bitnami/nginx/tmp/": "",
    "/var/log/nginx/access.log": "",
    "/var/log/nginx/error.log": "",
}
