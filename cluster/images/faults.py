"""What goes wrong with images; each message is a sentence for people."""


class Fault(Exception):
    """Something is in the way. The message says what."""


class NotFound(Fault):
    """It is not here, or not there."""


class Corrupt(Fault):
    """Bytes are not what they were said to be: of another digest or size, or nothing readable."""


class Busy(Fault):
    """Another process holds the store for too long."""
