"""Everything the API answers, as types. The OpenAPI document and the command line's `--json` are made of
these.
"""

import msgspec

from ovsnet.observe.attachments import AttachmentInfo
from ovsnet.observe.cluster import ClusterStatus, MemberInfo
from ovsnet.observe.drift import DriftItem
from ovsnet.observe.endpoints import EndpointInfo
from ovsnet.observe.findings import Finding
from ovsnet.observe.groups import GroupInfo
from ovsnet.observe.leases import Lease, PoolUsage
from ovsnet.observe.names import NameInfo
from ovsnet.observe.nearby import Nearby, NearbyMember
from ovsnet.observe.networks import NetworkDetails, NetworkInfo
from ovsnet.observe.published import PortInfo
from ovsnet.observe.services import ImportInfo
from ovsnet.observe.status import Status
from ovsnet.observe.uplinks import UplinkInfo
from ovsnet.settings import Settings

__all__ = [
    "AttachmentInfo",
    "CheckReport",
    "ClusterStatus",
    "DriftItem",
    "EndpointInfo",
    "ErrorBody",
    "Finding",
    "GroupInfo",
    "ImportInfo",
    "Lease",
    "MemberInfo",
    "NameInfo",
    "Nearby",
    "NearbyMember",
    "NetworkDetails",
    "NetworkInfo",
    "PoolUsage",
    "PortInfo",
    "Settings",
    "Status",
    "UplinkInfo",
    "VersionInfo",
]


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """Want against is. `clean` is true when `items` is empty: everything wanted is in force, nothing of ours
    is left over.
    """

    clean: bool
    items: tuple[DriftItem, ...]


class VersionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of the agent and of its neighbours; "" where it is not known."""

    version: str
    api: str
    python: str
    kernel: str
    openvswitch: str
    engine: str


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """Every answer that is not 200. `error` is a sentence for people, `hint` what to do next where `error`
    does not say.
    """

    error: str
    hint: str = ""
