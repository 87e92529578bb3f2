"""`python -m ovsnet.store`: prepare the store's file and become its server, for systemd or the keeper."""

import argparse
import sys
from pathlib import Path

import structlog

from ovsnet import settings
from ovsnet.model.errors import OvsnetError
from ovsnet.store.process import become_server


def main() -> int:
    """Exit code 1, with one line on stderr, when the store cannot be served."""
    parser = argparse.ArgumentParser(prog="python -m ovsnet.store", description="Serve ovsnet's own database.")
    parser.add_argument("--config", type=Path, help=f"settings file, default {settings.DEFAULT_FILE}")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="override one setting")
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        become_server(settings.load(arguments.config, tuple(arguments.set)))
    except OvsnetError as error:
        sys.stderr.write(f"ovsnet store: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
