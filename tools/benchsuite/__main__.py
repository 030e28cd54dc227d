"""Entry of tools/bench."""
import pathlib
import sys

from benchsuite.cli import main

sys.exit(main(pathlib.Path(__file__).resolve().parents[2], sys.argv[1:]))
