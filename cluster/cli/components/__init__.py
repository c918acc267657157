"""One command for each component: its flags, and how it is built and run in a process."""
