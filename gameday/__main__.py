"""`python -m gameday`."""

from gameday.cli import main

if __name__ == "__main__":
    main()
