"""`python -m ovsnet.cluster`: become the cluster database's server on this host, for systemd or the keeper."""

import argparse
import sys
from pathlib import Path

import structlog

from ovsnet import settings
from ovsnet.cluster.identity import identity_files, read_membership
from ovsnet.cluster.process import become_server
from ovsnet.model.errors import OvsnetError

NO_MEMBER = 3
"""Exit code on a host that is in no cluster: there is nothing to start again."""


def main() -> int:
    """Exit code 1, with one line on stderr, when the database cannot be served; 3 when there is no cluster."""
    parser = argparse.ArgumentParser(prog="python -m ovsnet.cluster", description="Serve the cluster's database.")
    parser.add_argument("--config", type=Path, help=f"settings file, default {settings.DEFAULT_FILE}")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="override one setting")
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        options = settings.load(arguments.config, tuple(arguments.set))
        files = identity_files(options)
        membership = read_membership(files)
        if membership is None:
            sys.stderr.write(f"ovsnet cluster-store: this host is in no cluster (there is no {files.membership})\n")
            return NO_MEMBER
        become_server(options, membership)
    except OvsnetError as error:
        sys.stderr.write(f"ovsnet cluster-store: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
