"""`python -m ckn` runs the command `ckn`."""

from ckn.cli import main

if __name__ == "__main__":
    main()
