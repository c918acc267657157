"""The current state and the recent past of every resource, in memory, fed by the storage.

An object's bytes are made once, when its change is heard of, and every list and watch sends those.
Nothing here decides anything about objects, and nothing waits but a `watch.Watch` for its reader.
"""
