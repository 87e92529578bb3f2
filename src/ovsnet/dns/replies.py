"""Messages: what was asked, read from a packet, and the reply made of what the zone says. No input or output.

The wire format is the library's business (RFC 1035, RFC 6891).
"""

from collections.abc import Callable
from random import Random
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rrset
from dns.message import Message
from dns.name import Name
from dns.opcode import Opcode
from dns.rcode import Rcode
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from ovsnet.dns.zone import Answer, Asker, Verdict, Zone
from ovsnet.model.ids import IpAddress

TTL: Final = 2
"""Seconds. A container that died shall not be remembered longer than its peers need to notice."""
PLAIN_SIZE: Final = 512
"""Bytes of the longest UDP message to who announces nothing (RFC 1035 4.2.1)."""
SAFE_SIZE: Final = 1232
"""Bytes of UDP payload that need no fragments on any path with IPv6's smallest MTU."""
STREAM_SIZE: Final = 65535
UDP_HEADERS: Final = 28
"""Bytes of an IPv4 and a UDP header."""
_HEADER: Final = 12
_TRANSFERS = (RdataType.AXFR, RdataType.IXFR)
_BROKEN = (dns.exception.DNSException, ValueError, LookupError)
"""What the library raises for what is no message."""


def read(packet: bytes) -> Message | None:
    """The message in a packet; None for what is none."""
    try:
        return dns.message.from_wire(packet)
    except _BROKEN:
        return None


def format_error(packet: bytes) -> bytes | None:
    """The reply to what cannot be read; None where not even that can be told, or it was a reply itself."""
    if len(packet) < _HEADER or packet[2] & 0x80:
        return None
    reply = Message(id=int.from_bytes(packet[:2]))
    reply.flags = dns.flags.QR
    reply.set_rcode(Rcode.FORMERR)
    return reply.to_wire()


def is_question(message: Message) -> bool:
    """False for a reply: whoever answers those can be kept busy for ever."""
    return not message.flags & dns.flags.QR


def failure(query: Message, rcode: Rcode = Rcode.SERVFAIL) -> Message:
    """A reply that says only why there is none."""
    reply = dns.message.make_response(query, recursion_available=True, our_payload=SAFE_SIZE)
    reply.set_rcode(rcode)
    return reply


def packed(reply: Message, size: int) -> bytes:
    """The packet of at most `size` bytes; what does not fit is left out and said to be (TC)."""
    return reply.to_wire(max_size=max(size, PLAIN_SIZE), prefer_truncation=True)


def datagram_size(query: Message, asker: Asker | None) -> int:
    """Bytes of the longest datagram that reaches who asks in one piece."""
    wanted = query.payload if query.edns >= 0 else PLAIN_SIZE
    fits = SAFE_SIZE if asker is None else min(SAFE_SIZE, asker.mtu - UDP_HEADERS)
    return max(PLAIN_SIZE, min(wanted, fits))


class Responder:
    """Replies from the zone of the moment."""

    def __init__(self, zone: Callable[[], Zone], *, domain: str, chance: Random, ttl: int = TTL) -> None:
        """`chance` shuffles addresses, so that their load is shared."""
        self._zone = zone
        self._domain = dns.name.from_text(domain)
        self._chance = chance
        self._ttl = ttl

    def asker(self, source: IpAddress) -> Asker | None:
        """Who has this address."""
        return self._zone().asker(source)

    def reply(self, query: Message, asker: Asker | None) -> Message | None:
        """The reply; None when others have to be asked."""
        refusal = _refusal(query)
        if refusal is not None:
            return failure(query, refusal)
        question = query.question[0]
        known = self._zone().lookup(_text(question.name), question.rdtype, asker)
        return None if known.verdict is Verdict.NOT_OURS else self._made(query, known)

    def _made(self, query: Message, known: Answer) -> Message:
        reply = failure(query, Rcode.NXDOMAIN if known.verdict is Verdict.NO_NAME else Rcode.NOERROR)
        if known.ours:
            reply.flags |= dns.flags.AA
        name = query.question[0].name
        self._add_addresses(reply, name, known)
        names = [f"{it}." for it in known.names if _is_name(it)]
        if names:
            reply.answer.append(dns.rrset.from_text_list(name, self._ttl, RdataClass.IN, RdataType.PTR, names))
        if known.ours and not reply.answer:
            reply.authority.append(self._authority())
        return reply

    def _add_addresses(self, reply: Message, name: Name, known: Answer) -> None:
        for kind, version in ((RdataType.A, 4), (RdataType.AAAA, 6)):
            texts = [str(it) for it in known.addresses if it.version == version]
            self._chance.shuffle(texts)
            if texts:
                reply.answer.append(dns.rrset.from_text_list(name, self._ttl, RdataClass.IN, kind, texts))

    def _authority(self) -> dns.rrset.RRset:
        """Says how long nothing may be believed to be there (RFC 2308 3)."""
        text = f"{self._domain} hostmaster.{self._domain} 1 {self._ttl} {self._ttl} {self._ttl} {self._ttl}"
        return dns.rrset.from_text(self._domain, self._ttl, RdataClass.IN, RdataType.SOA, text)


def _refusal(query: Message) -> Rcode | None:
    """Why a question is not even looked at."""
    if query.opcode() != Opcode.QUERY:
        return Rcode.NOTIMP
    if len(query.question) != 1:
        return Rcode.FORMERR
    if query.edns > 0:
        return Rcode.BADVERS
    question = query.question[0]
    if question.rdclass != RdataClass.IN or question.rdtype in _TRANSFERS:
        return Rcode.REFUSED
    return None


def _text(name: Name) -> str:
    return name.to_text(omit_final_dot=True)


def _is_name(text: str) -> bool:
    """Docker takes names whose parts are longer than DNS allows; nobody can ask for those."""
    try:
        dns.name.from_text(text)
    except dns.exception.DNSException:
        return False
    return True
