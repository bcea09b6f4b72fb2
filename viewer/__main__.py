"""`python -m viewer`."""

from viewer.cli import main

# Dask's processes import this file again.
if __name__ == "__main__":
    main(prog_name="python -m viewer")
