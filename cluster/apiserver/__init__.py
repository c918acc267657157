"""Floor 3: The only door to the state. The registry carries out operations on objects; the watch
cache serves reads and watches; the faces are gRPC, REST over TLS, and a direct transport for the
same process.
"""
