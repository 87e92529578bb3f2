"""The doctor's judgement of this host as a member of a cluster. Pure."""

import time

from ovsnet.observe.findings import Finding, ok, problem, warning
from ovsnet.observe.member_readings import MemberReadings
from ovsnet.settings import Settings

SOON = 30 * 86400.0
"""Seconds before a certificate's end from which on it is told."""
AGAIN = "'ovsnet cluster leave' (--force where the cluster does not answer), then join again with a new token"
SHOWN = 3
"""So many silent members are quoted."""


def certificate(it: MemberReadings, now: float) -> Finding:
    """Whether others believe who we are; `now` in seconds since the epoch."""
    subject = "cluster"
    if not it.name:
        return ok(subject, "this host is in none")
    if it.why:
        return problem(subject, it.why, AGAIN)
    until = time.strftime("%Y-%m-%d", time.gmtime(it.expires))
    if it.expires <= now:
        return problem(subject, f"the certificate of {it.name} has expired ({until}): no member talks to it", AGAIN)
    if it.expires - now < SOON:
        return warning(subject, f"the certificate of {it.name} expires soon ({until})", AGAIN)
    return ok(subject, f"member {it.name}, certificate until {until}")


def ports(it: MemberReadings, settings: Settings) -> Finding:
    """Whether what must be listened on is, and what must be free is."""
    subject = "cluster ports"
    names = {
        settings.cluster_port: "cluster_port",
        settings.cluster_db_port: "cluster_db_port",
        settings.cluster_raft_port: "cluster_raft_port",
    }
    bad = [f"{port} ({names.get(port, '')}): {why}" for port, why in sorted(it.ports.items()) if why]
    good = ", ".join(str(port) for port in sorted(it.ports))
    if not it.name:
        if not bad:
            return ok(subject, f"TCP {good} are free for a cluster")
        remedy = "another program has them; before 'ovsnet cluster init' or 'join' give us others by these settings"
        return warning(subject, f"TCP {'; '.join(bad)}", f"{remedy}, the same on all hosts")
    if not bad:
        return ok(subject, f"TCP {good} are listened on")
    remedy = "start the agent, and ovsnet-cluster.service where systemd keeps it; its log says what is in the way"
    return problem(subject, f"nobody listens on TCP {'; '.join(bad)}", remedy)


def members(it: MemberReadings, settings: Settings) -> Finding:
    """Whether the others can be reached from here."""
    subject = "cluster members"
    if not it.name:
        return ok(subject, "none: this host is in no cluster")
    if not it.silent:
        return ok(subject, f"all {it.others} others answer" if it.others else "no other is known")
    shown = "; ".join(it.silent[:SHOWN]) + ("; …" if len(it.silent) > SHOWN else "")
    says = f"{len(it.silent)} of {it.others} others do not answer: {shown}"
    first, last = settings.cluster_port, settings.cluster_raft_port
    remedy = (
        f"see that they run; between members a firewall must let through TCP {first}, {settings.cluster_db_port} and "
        f"{last}, and the tunnels' UDP port ('ovsnet cluster status' shows it)"
    )
    return warning(subject, says, remedy)
