"""A multicast group, as programs use it; runs INSIDE a container's network namespace. Standard library only.

grouptalk.py join GROUP      joins on eth0, prints "joined", then "WORD from ADDRESS" of what is said, until SIGTERM
grouptalk.py say GROUP WORD  says it once
"""

import ipaddress
import socket
import struct
import sys

PORT = 7777
INTERFACE = "eth0"


def join(group: str) -> None:
    family, index = family_of(group), socket.if_nametoindex(INTERFACE)
    with socket.socket(family, socket.SOCK_DGRAM) as ear:
        ear.bind((group, PORT) if family == socket.AF_INET else (group, PORT, 0, index))
        raw = socket.inet_pton(family, group)
        if family == socket.AF_INET:
            request = struct.pack("=4s4si", raw, bytes(4), index)
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, struct.pack("=16sI", raw, index))
        print("joined", flush=True)
        while True:
            word, address = ear.recvfrom(1500)
            print(f"{word.decode()} from {address[0]}", flush=True)


def say(group: str, word: str) -> None:
    family, index = family_of(group), socket.if_nametoindex(INTERFACE)
    with socket.socket(family, socket.SOCK_DGRAM) as mouth:
        if family == socket.AF_INET:
            mouth.setsockopt(
                socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index)
            )
            mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
        else:
            mouth.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            mouth.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 4)
        mouth.sendto(word.encode(), (group, PORT))


def family_of(group: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ipaddress.ip_address(group).version == 6 else socket.AF_INET


if __name__ == "__main__":
    if sys.argv[1] == "join":
        join(sys.argv[2])
    else:
        say(sys.argv[2], sys.argv[3])
