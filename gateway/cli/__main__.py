"""`python -m gateway.cli` is `dynagate`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
