"""The edge: sockets, devices and asyncio around the machines of `stack`."""
