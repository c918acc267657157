"""The program of a sandbox: it holds the pod's namespaces, and buries the dead where the containers
share its processes. Pure.

It is so small that it is written here as the instructions that it has, for no compiler can be
counted on: an ELF file of one page that ignores SIGCHLD (so the kernel buries children by itself,
sigaction(2)) and waits for ever. In memory it takes a few KiB.
"""

import struct
from typing import Final

_BASE: Final = 0x400000
_HEADERS: Final = 64 + 56
_SIGACTION: Final = struct.pack("<QQQQ", 1, 0, 0, 0)
"""`struct sigaction` of the kernel: handler SIG_IGN (1), no flags, no mask."""


def program(machine: str) -> bytes | None:
    """The file for a machine as uname(2) names it; None for one that is not known."""
    if machine == "x86_64":
        return _elf(62, _x86_64(_BASE + _HEADERS))
    if machine in ("aarch64", "arm64"):
        return _elf(183, _aarch64())
    return None


def _x86_64(at: int) -> bytes:
    action = at + 42
    code = b"".join((
        b"\xbf" + struct.pack("<I", 17),      # mov edi, SIGCHLD
        b"\xbe" + struct.pack("<I", action),  # mov esi, the sigaction below
        b"\x31\xd2",                          # xor edx, edx
        b"\x41\xba" + struct.pack("<I", 8),   # mov r10d, 8: the size of a mask
        b"\xb8" + struct.pack("<I", 13),      # mov eax, rt_sigaction
        b"\x0f\x05",                          # syscall
        b"\xb8" + struct.pack("<I", 34),      # wait: mov eax, pause
        b"\x0f\x05",                          # syscall
        b"\xeb\xf7",                          # jmp wait
    ))  # fmt: skip
    return code.ljust(42, b"\x90") + _SIGACTION


def _aarch64() -> bytes:
    words = (
        0xD2800220,  # mov x0, SIGCHLD
        0x10000181,  # adr x1, the sigaction: 48 bytes on
        0xD2800002,  # mov x2, 0
        0xD2800103,  # mov x3, 8: the size of a mask
        0xD28010C8,  # mov x8, rt_sigaction
        0xD4000001,  # svc 0
        0xD2800000,  # wait: mov x0, 0
        0xD2800001,  # mov x1, 0
        0xD2800002,  # mov x2, 0
        0xD2800003,  # mov x3, 0
        0xD2800928,  # mov x8, ppoll
        0xD4000001,  # svc 0
        0x17FFFFFA,  # b wait
    )
    return struct.pack(f"<{len(words)}I", *words) + _SIGACTION


def _elf(machine: int, code: bytes) -> bytes:
    """A file with one segment, all of it, which begins right after the headers."""
    size = _HEADERS + len(code)
    head = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, _BASE + _HEADERS, 64, 0, 0,
        64, 56, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return head + segment + code
