"""Floor 3: what machine, kernel and containerd are to a real node: CRI v1 and the data plane.

`service.CriService` is the CRI, over a driver that runs containers (`sim`). Pure parts: `images`
(references), `commandline`, `script` (what a container was told to do), `addresses`.
It knows pods only as CRI names them, and never talks to the API.
"""
