"""``nba-props``: Ctrl-C ends it with 130, also while it is imported."""

import os
import signal
import sys


def main() -> None:
    """Run the command line of this process."""
    # A script starts its background commands with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        from nba_props.cli import main as run  # its imports take long enough to be stopped

        run()
    except KeyboardInterrupt:
        os.write(2, b"nba-props: stopped; start it again with the same arguments to continue\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
