"""Raw frames out of and into an interface; runs INSIDE a container's network namespace. Standard library only.

rawsocket.py send INTERFACE HEX...      puts these frames on the wire as they are
rawsocket.py hear INTERFACE WORD        prints "listening", then each word that begins with WORD and came in
                                        by this interface, until SIGTERM
"""

import re
import socket
import sys

ETH_P_ALL = 3  # linux/if_ether.h
PACKET_OUTGOING = 4  # linux/if_packet.h
LONGEST = 65536


def send(interface: str, frames: list[str]) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((interface, 0))
        for frame in frames:
            wire.send(bytes.fromhex(frame))


def hear(interface: str, word: str) -> None:
    pattern = re.compile(re.escape(word.encode()) + rb"[a-z0-9-]*")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as wire:
        wire.bind((interface, ETH_P_ALL))
        print("listening", flush=True)
        while True:
            frame, address = wire.recvfrom(LONGEST)
            found = pattern.search(frame)
            if found and address[2] != PACKET_OUTGOING:
                print(found[0].decode(), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(sys.argv[2], sys.argv[3:])
    else:
        hear(sys.argv[2], sys.argv[3])
