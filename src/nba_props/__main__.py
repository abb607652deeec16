"""``python -m nba_props`` is ``nba-props``."""

from nba_props.cli import main

if __name__ == "__main__":
    main()
