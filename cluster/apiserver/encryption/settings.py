"""What an API server is told of encryption at rest."""

from dataclasses import dataclass, field

from cluster.apiserver.encryption.configuration import Configuration
from cluster.apiserver.encryption.following import Read


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration at the start, and how to read it anew; None: it stays as it is."""

    configuration: Configuration = field(repr=False)
    read: Read | None = None
