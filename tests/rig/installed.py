"""ovsnet on a host with systemd, installed as an administrator would: units in place, enabled, started."""

from typing import Final

from tests.rig.host import PROJECT, Host

UNITS: Final = PROJECT / "packaging" / "systemd"


def install(host: Host) -> None:
    """Put program and units where they belong and start them; the host must have been built with systemd."""
    host.run("ln", "-sf", str(PROJECT / ".venv/bin/ovsnet"), "/usr/bin/ovsnet")
    host.shell(f"cp {UNITS}/* /etc/systemd/system/ && systemctl daemon-reload")
    host.run("systemctl", "enable", "--now", "ovsnet.service")


def property_of(host: Host, unit: str, name: str) -> str:
    """What `systemctl show` says of a unit."""
    return host.run("systemctl", "show", unit, "--property", name, "--value").stdout.strip()
