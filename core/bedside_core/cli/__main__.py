"""`python -m bedside_core.cli` is `bedside`, of exactly that Python."""

from bedside_core.cli import main

main()
