"""One seed, one small cluster in a rough lab: a load, kills at any moment, and a judgement.

`run.run(seed)` is the whole of it; the same seed gives the same run, byte for byte.
"""
