"""The registry's errors: the specification's codes (section "Error codes"), its JSON, and what HTTP
status each is answered with.
"""

import json
from typing import Any, Final

STATUSES: Final = {
    "BLOB_UNKNOWN": 404, "BLOB_UPLOAD_INVALID": 400, "BLOB_UPLOAD_UNKNOWN": 404,
    "DIGEST_INVALID": 400, "MANIFEST_BLOB_UNKNOWN": 404, "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404, "NAME_INVALID": 400, "NAME_UNKNOWN": 404, "SIZE_INVALID": 400,
    "UNAUTHORIZED": 401, "DENIED": 403, "UNSUPPORTED": 405, "TOOMANYREQUESTS": 429,
    # The Docker registry's, for what the specification has no code.
    "TAG_INVALID": 400, "PAGINATION_NUMBER_INVALID": 400, "RANGE_INVALID": 416,
    "UNAVAILABLE": 503,
}  # fmt: skip


class Refused(Exception):
    """What is answered instead. `status` is the code's own unless given."""

    def __init__(
        self, code: str, message: str, *, status: int = 0, detail: Any = None,
        headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.code = code
        self.status = status or STATUSES[code]
        self.detail = detail
        self.headers = headers or {}

    def body(self) -> bytes:
        """The JSON of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.detail is not None:
            error["detail"] = self.detail
        return json.dumps({"errors": [error]}).encode() + b"\n"
