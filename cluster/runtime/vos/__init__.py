"""The virtual OS of a simulated container: streams, files in memory, a terminal, a shell.

Containers of the sim driver are coroutines: `kernel.Kernel` is one container's process table,
`programs/` what its PATH holds, `shell/` its `sh`. Everything is bounded (buffers, files,
processes, words, time on the loop), runs on asyncio timers and the clock that is handed in, and
costs nothing before it is used. It knows no CRI and no pod: the driver tells it names, ports and
where output goes. It is a part of the runtime, as kernel and busybox are parts of a machine; images
that are programs come as arguments.
"""
