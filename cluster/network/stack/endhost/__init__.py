"""The parts of a host's stack (`stack.host`), one protocol or table a file. Pure."""
