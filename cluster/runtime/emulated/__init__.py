"""Emulated images: small programs on the virtual OS that stand in for what is in real images.

`image.Image` says what an image holds, `catalog` finds the image of a reference without importing
the others, `serving` marks programs that do nothing until they are spoken to. One module a family
of images, with its `IMAGES`. They know the virtual OS (`runtime.vos`) alone: neither CRI nor pods.
"""
