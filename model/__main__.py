"""`python -m model`."""

from model.cli import main

if __name__ == "__main__":
    main(prog_name="python -m model")
