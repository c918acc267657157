"""`curl`: HTTP/1.1 and HTTPS with the options that people use, and telnet to try a port."""

from cluster.runtime.vos.programs.network.curl.program import curl

__all__ = ["curl"]
