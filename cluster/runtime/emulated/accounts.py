"""Who is in /etc/passwd and /etc/group of the usual images: what they are built upon, and who they
add. Pure. Images of which nothing is known have root and nobody.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

PASSWD, GROUP = "/etc/passwd", "/etc/group"
_NOLOGIN: Final = "/sbin/nologin"


class _Base(NamedTuple):
    """What an image is built upon. A user is `name uid gid home shell`, a group `name gid members`,
    separated by commas.
    """

    users: str
    groups: str


_PLAIN: Final = _Base("root 0 0 /root /bin/sh,nobody 65534 65534 /nonexistent /sbin/nologin",
                      "root 0,nogroup 65534")  # fmt: skip
_DISTROLESS: Final = _Base(
    "root 0 0 /root /sbin/nologin,nobody 65534 65534 /nonexistent /sbin/nologin,"
    "nonroot 65532 65532 /home/nonroot /sbin/nologin",
    "root 0,nobody 65534,tty 5,staff 50,nonroot 65532",
)
_BUSYBOX: Final = _Base(
    "root 0 0 /root /bin/sh,daemon 1 1 /usr/sbin /bin/false,bin 2 2 /bin /bin/false,"
    "sys 3 3 /dev /bin/false,sync 4 100 /bin /bin/sync,mail 8 8 /var/spool/mail /bin/false,"
    "www-data 33 33 /var/www /bin/false,operator 37 37 /var /bin/false,"
    "nobody 65534 65534 /home /bin/false",
    "root 0,daemon 1,bin 2,sys 3,adm 4,tty 5,disk 6,lp 7,mail 8,kmem 9,wheel 10 root,cdrom 11,"
    "dialout 18,floppy 19,video 28,audio 29,tape 32,www-data 33,operator 37,utmp 43,plugdev 46,"
    "staff 50,lock 54,netdev 82,users 100,nobody 65534",
)
_ALPINE: Final = _Base(
    "root 0 0 /root /bin/sh,bin 1 1 /bin -,daemon 2 2 /sbin -,lp 4 7 /var/spool/lpd -,"
    "sync 5 0 /sbin /bin/sync,shutdown 6 0 /sbin /sbin/shutdown,halt 7 0 /sbin /sbin/halt,"
    "mail 8 12 /var/mail -,news 9 13 /usr/lib/news -,uucp 10 14 /var/spool/uucppublic -,"
    "cron 16 16 /var/spool/cron -,ftp 21 21 /var/lib/ftp -,sshd 22 22 /dev/null -,"
    "games 35 35 /usr/games -,ntp 123 123 /var/empty -,guest 405 100 /dev/null -,"
    "nobody 65534 65534 / -",
    "root 0 root,bin 1 root+bin+daemon,daemon 2 root+bin+daemon,sys 3 root+bin,"
    "adm 4 root+daemon,tty 5,disk 6 root,lp 7 lp,kmem 9,wheel 10 root,floppy 11 root,mail 12 mail,"
    "news 13 news,uucp 14 uucp,cron 16 cron,audio 18,cdrom 19,dialout 20 root,ftp 21,sshd 22,"
    "input 23,tape 26 root,video 27 root,netdev 28,kvm 34 kvm,games 35,shadow 42,www-data 82,"
    "users 100 games,ntp 123,abuild 300,utmp 406,ping 999,nogroup 65533,nobody 65534",
)
_DEBIAN: Final = _Base(
    "root 0 0 /root /bin/bash,daemon 1 1 /usr/sbin -,bin 2 2 /bin -,sys 3 3 /dev -,"
    "sync 4 65534 /bin /bin/sync,games 5 60 /usr/games -,man 6 12 /var/cache/man -,"
    "lp 7 7 /var/spool/lpd -,mail 8 8 /var/mail -,news 9 9 /var/spool/news -,"
    "uucp 10 10 /var/spool/uucp -,proxy 13 13 /bin -,www-data 33 33 /var/www -,"
    "backup 34 34 /var/backups -,list 38 38 /var/list -,irc 39 39 /run/ircd -,"
    "_apt 42 65534 /nonexistent -,nobody 65534 65534 /nonexistent -",
    "root 0,daemon 1,bin 2,sys 3,adm 4,tty 5,disk 6,lp 7,mail 8,news 9,uucp 10,man 12,proxy 13,"
    "kmem 15,dialout 20,fax 21,voice 22,cdrom 24,floppy 25,tape 26,sudo 27,audio 29,dip 30,"
    "www-data 33,backup 34,operator 37,list 38,irc 39,src 40,shadow 42,utmp 43,video 44,sasl 45,"
    "plugdev 46,staff 50,games 60,users 100,nogroup 65534",
)
_FEDORA: Final = _Base(
    "root 0 0 /root /bin/bash,bin 1 1 /bin -,daemon 2 2 /sbin -,adm 3 4 /var/adm -,"
    "lp 4 7 /var/spool/lpd -,sync 5 0 /sbin /bin/sync,shutdown 6 0 /sbin /sbin/shutdown,"
    "halt 7 0 /sbin /sbin/halt,mail 8 12 /var/spool/mail -,operator 11 0 /root -,"
    "games 12 100 /usr/games -,ftp 14 50 /var/ftp -,nobody 65534 65534 / -",
    "root 0,bin 1,daemon 2,sys 3,adm 4,tty 5,disk 6,lp 7,mem 8,kmem 9,wheel 10,cdrom 11,mail 12,"
    "man 15,dialout 18,floppy 19,games 20,tape 33,video 39,ftp 50,lock 54,audio 63,users 100,"
    "nobody 65534",
)
_BY_NAME: Final[Mapping[str, _Base]] = {
    **dict.fromkeys(("busybox", "radial/busyboxplus", "busyboxplus"), _BUSYBOX),
    **dict.fromkeys(("alpine", "curl", "memcached-alpine", "socat", "netshoot", "hello-app",
                     "podinfo", "http-echo", "hpa-example-alpine", "agnhost"), _ALPINE),
    **dict.fromkeys(("static", "base", "cc", "static-debian12", "base-debian12", "cc-debian12",
                     "static-debian11", "base-debian11"), _DISTROLESS),
    **dict.fromkeys(("fedora", "centos", "rockylinux", "almalinux", "amazonlinux"), _FEDORA),
}  # fmt: skip
_ADDED: Final[Mapping[str, tuple[str, str, str]]] = {
    "nginx": (
        "nginx 101 101 /nonexistent /bin/false",
        "nginx 101",
        "nginx 101 101 /var/cache/nginx -",
    ),
    "nginx-unprivileged": (
        "nginx 101 101 /nonexistent /bin/false", "nginx 101", "nginx 101 101 /var/cache/nginx -",
    ),
    "redis": (
        "redis 999 999 /home/redis /bin/sh",
        "redis 999",
        "redis 999 1000 /home/redis /bin/sh",
    ),
    "valkey": ("valkey 999 999 /home/valkey /bin/sh", "valkey 999", ""),
    "postgres": ("postgres 999 999 /var/lib/postgresql /bin/bash", "postgres 999",
                 "postgres 70 70 /var/lib/postgresql /bin/sh"),
    "mysql": ("mysql 999 999 /var/lib/mysql /bin/bash", "mysql 999", ""),
    "mariadb": ("mysql 999 999 /home/mysql /bin/sh", "mysql 999", ""),
    "mongo": ("mongodb 999 999 /data/db /bin/sh", "mongodb 999", ""),
    "rabbitmq": ("rabbitmq 999 999 /var/lib/rabbitmq /bin/sh", "rabbitmq 999",
                 "rabbitmq 100 101 /var/lib/rabbitmq -"),
    "memcached": ("memcache 11211 11211 /home/memcache /bin/sh", "memcache 11211",
                  "memcache 11211 11211 /home/memcache /bin/sh"),
    "cassandra": ("cassandra 999 999 /var/lib/cassandra /bin/sh", "cassandra 999", ""),
    "zookeeper": ("zookeeper 1000 1000 /home/zookeeper /bin/bash", "zookeeper 1000", ""),
    "kafka": ("appuser 1000 1000 /home/appuser /bin/bash", "appuser 1000", ""),
    "cp-kafka": ("appuser 1000 1000 /home/appuser /bin/bash", "appuser 1000", ""),
    "node": (
        "node 1000 1000 /home/node /bin/bash",
        "node 1000",
        "node 1000 1000 /home/node /bin/sh",
    ),
    "curl": ("curl_user 100 101 /home/curl_user /sbin/nologin", "curl_group 101",
             "curl_user 100 101 /home/curl_user /sbin/nologin"),
    "ubuntu": ("ubuntu 1000 1000 /home/ubuntu /bin/bash", "ubuntu 1000", ""),
}  # fmt: skip
"""Who is added: user and group upon Debian, and the user upon Alpine."""
_GROUPS_OF_ALPINE: Final = {"redis": "redis 1000", "postgres": "postgres 70",
                            "rabbitmq": "rabbitmq 101"}  # fmt: skip


@lru_cache(256)
def of(path: str, tag: str, *, known: bool = True) -> Mapping[str, str]:
    """The two files of an image, by path; `known` tells whether it is emulated."""
    family = path.removeprefix("library/")
    name = family.rpartition("/")[2]
    alpine = "alpine" in tag
    base = _BY_NAME.get(family) or _BY_NAME.get(name)
    if base is None:
        base = (_ALPINE if alpine else _DEBIAN) if known else _PLAIN
    users, groups = base
    bitnami = family.startswith(("bitnami/", "bitnamilegacy/"))
    if not bitnami and known and (added := _ADDED.get(name)) is not None:
        users += "," + ((alpine and added[2]) or added[0])
        groups += "," + ((alpine and _GROUPS_OF_ALPINE.get(name)) or added[1])
    return {PASSWD: _passwd(users, base), GROUP: _group(groups)}


def _passwd(users: str, base: _Base) -> str:
    nobody = "/usr/sbin/nologin" if base is _DEBIAN else _NOLOGIN
    lines = []
    for one in users.split(","):
        name, uid, gid, home, shell = one.split(" ")
        lines.append(f"{name}:x:{uid}:{gid}:{name}:{home}:{nobody if shell == '-' else shell}\n")
    return "".join(lines)


def _group(groups: str) -> str:
    lines = []
    for one in groups.split(","):
        name, gid, *members = one.split(" ")
        lines.append(f"{name}:x:{gid}:{','.join(members).replace('+', ',')}\n")
    return "".join(lines)
