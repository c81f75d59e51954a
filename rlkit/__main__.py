"""Run the command line as `python -m rlkit`."""

from rlkit.cli import main

if __name__ == "__main__":
    main()
