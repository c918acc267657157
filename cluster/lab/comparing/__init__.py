"""The same workload under several RuntimeClasses, each in a lab of its own: what it costs, how soon
it is there, and how soon again after a node died. It measures; `cli` reads files and shows tables.
"""
