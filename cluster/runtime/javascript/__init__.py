"""Scripts of Node: the engine (`engine`), the processes that it runs in (`host`), and how the
runtime has them (`scripts`). Nothing here knows of containers.
"""
