"""A failed remote call, as a value that does not know its transport.

A service object raises it; a servicer turns it into a gRPC status, and a client adapter back. So a
caller in the same process and one across the wire handle the same error.
"""


class Failure(Exception):
    """A call failed. `code` is the name of a gRPC status code: `NOT_FOUND`, `UNAVAILABLE`…"""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def text(self) -> str:
        """As Go's gRPC writes it: `rpc error: code = NotFound desc = <message>`."""
        name = "".join(part.capitalize() for part in self.code.split("_"))
        return f"rpc error: code = {name} desc = {self.message}"
