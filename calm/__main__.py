"""The command `calm`, also as `python -m calm`."""

from calm.cli import loading


def main() -> None:
    """Loads the commands and runs one; Ctrl-C and SIGTERM are told in one line from the start."""
    loading.end_at_a_signal()
    from calm.cli.main import main as run  # what takes time

    run()


if __name__ == "__main__":
    main()
