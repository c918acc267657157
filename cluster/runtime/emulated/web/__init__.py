"""HTTP/1.1 for emulated images: what is sent, a server, a client, static files, WebSockets.

`messages` says what is sent; `conditions`, `ranges`, `types`, `websocket` are pure; `serving` and
`client` drive h11 over a pod's sockets. What an image does with a request is a handler's business:
`async def handler(request) -> Response`.
"""
