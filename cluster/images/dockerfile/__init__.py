"""`kubemu image build`: images from Dockerfiles, without running anything.

`syntax` and `words` read, `patterns` and `context` find files, `layering` makes layers, `steps`
carries out instructions on a `stage.Stage`, `building` puts stages together. The same context gives
the same digests: times are fixed, order is that of names. Messages are those of docker build.
"""
