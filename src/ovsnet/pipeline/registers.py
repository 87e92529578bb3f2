"""Each register of the pipeline: its one meaning. Pure.

A register lives while the packet is in the switch and never shows in the datapath's masks.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Register:
    """One 32-bit register (OXM `reg<number>`)."""

    number: int
    name: str
    purpose: str

    def equals(self, value: int) -> str:
        """The match on exactly this value."""
        return f"reg{self.number}={_written(value)}"

    def set_to(self, value: int) -> str:
        """The action that writes a constant."""
        return f"set_field:{_written(value)}->reg{self.number}"

    @property
    def whole(self) -> str:
        """All its bits, as source of `move` and `output`."""
        return f"NXM_NX_REG{self.number}[]"

    def low(self, bits: int) -> str:
        """Its lowest bits, as source of `move`."""
        return f"NXM_NX_REG{self.number}[0..{bits - 1}]"


def _written(value: int) -> str:
    """As Open vSwitch prints a register's value."""
    return f"{value:#x}" if value else "0"


ND_FLAGS: Final = Register(0, "nd_flags", "R, S and O bits of the neighbour advertisement that is being made")
ND_OPTION: Final = Register(1, "nd_option", "type of the option to write into it; 0: no room for one")
SEGMENT_VLAN: Final = Register(5, "segment_vlan", "VLAN of the sender's segment; 0: untagged")
SEGMENT_VNI: Final = Register(6, "segment_vni", "VNI of the sender's network")
OUTPUT_PORT: Final = Register(7, "output_port", "OpenFlow port the packet leaves by")

REGISTERS: Final = (ND_FLAGS, ND_OPTION, SEGMENT_VLAN, SEGMENT_VNI, OUTPUT_PORT)
"""All of them."""
