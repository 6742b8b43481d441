"""The crash harness: short trainings killed at every kind of instant, each resumed and compared bit by bit.

`python -m tests.crash --kills 200` is the whole proof (slow), `--kills 20` a nightly one; pytest runs a few.
"""
