"""`python -m kcnn`: the command line without an installed script."""

from kcnn.cli import main

main()
