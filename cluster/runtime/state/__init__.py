"""What a runtime keeps on disk, so that one that was restarted knows what ran.

`journal` is the file, `entries` what is in it, `recovery` what a machine makes of it when it comes
back, and `keeper` writes down what happens. A runtime without a folder for it (the lab, hollow
nodes) has none of this, and does not import it.
"""
