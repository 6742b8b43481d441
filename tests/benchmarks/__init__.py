"""Measurements: each prints ratios of two sides timed in one interleaved run, and writes JSON if asked to.

`python -m tests.benchmarks WORD` runs the file of that name here; without a word it lists them.
"""
