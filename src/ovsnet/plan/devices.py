"""Attached interfaces that are no ports of a switch. Pure."""

from ovsnet.model.attachment import Attachment
from ovsnet.model.host import DevicePlan, Medium
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.plan.links import placement_of


def plan_devices(state: State) -> dict[str, DevicePlan]:
    """Those that must be there now."""
    plans = (plan_device(it) for it in state.attachments.values() if it.medium is not Medium.PORT and it.plugged)
    return {it.name: it for it in plans}


def plan_device(attachment: Attachment) -> DevicePlan:
    """One of them."""
    return DevicePlan(
        name=names.device(attachment.id),
        medium=attachment.medium,
        nic=attachment.nic,
        sandbox=attachment.sandbox,
        alias=names.alias(attachment.id),
        mtu=attachment.mtu,
        mac=attachment.mac,
        place=placement_of(attachment),
    )
