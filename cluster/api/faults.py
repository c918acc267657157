"""What goes wrong for reasons that a user can mend."""


class Fault(Exception):
    """Something is in the way. The message says what, in a sentence, and shows a way out."""
