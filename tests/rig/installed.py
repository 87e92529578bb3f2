"""ovsnet on a host with systemd, installed as an administrator would: units in place, enabled, started."""

from typing import Final

from tests.rig.host import PROJECT, Host

HIDDEN: Final = ("/tmp", "/var/tmp", "/home", "/root")
# The databases have a /tmp of their own and see no homes. An installed program lies elsewhere; this clone may not.
VISIBLE: Final = "[Service]\nPrivateTmp=no\nReadWritePaths=/tmp\nProtectHome=no\n"
UNITS: Final = PROJECT / "packaging" / "systemd"


def install(host: Host) -> None:
    """Put program and units where they belong and start them; the host must have been built with systemd."""
    host.run("ln", "-sf", str(PROJECT / ".venv/bin/ovsnet"), "/usr/bin/ovsnet")
    host.shell(f"cp {UNITS}/* /etc/systemd/system/")
    if any(PROJECT.is_relative_to(folder) for folder in HIDDEN):
        for unit in ("ovsnet-store.service", "ovsnet-cluster.service"):
            host.write_file(f"/etc/systemd/system/{unit}.d/clone.conf", VISIBLE)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "enable", "--now", "ovsnet.service")


def property_of(host: Host, unit: str, name: str) -> str:
    """What `systemctl show` says of a unit."""
    return host.run("systemctl", "show", unit, "--property", name, "--value").stdout.strip()
