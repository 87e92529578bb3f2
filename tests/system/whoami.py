"""Says who it is, and asks others who they are; runs INSIDE a container's network. Standard library only.

whoami.py serve PORT NAME            answers every datagram with its name; says "listening" on stdout
whoami.py ask PORT COUNT ADDRESS…    asks each address COUNT times; prints a list of what each answered, as JSON
"""

import json
import socket
import sys

PATIENCE = 2.0


def serve(port: int, name: str) -> None:
    """Until killed. One socket hears both families."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as inbox:
        inbox.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        inbox.bind(("::", port))
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while True:
            question, asker = inbox.recvfrom(512)
            inbox.sendto(question + b" " + name.encode(), asker)


def ask(port: int, count: int, addresses: list[str]) -> list[dict[str, int]]:
    """For each address how often which name answered; "" stands for no answer."""
    return [_ask(port, count, it) for it in addresses]


def _ask(port: int, count: int, address: str) -> dict[str, int]:
    heard: dict[str, int] = {}
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        line.settimeout(PATIENCE)
        line.connect((address, port))
        for number in range(count):
            name = _one(line, str(number))
            heard[name] = heard.get(name, 0) + 1
    return heard


def _one(line: socket.socket, question: str) -> str:
    line.send(question.encode())
    try:
        echoed, _, name = line.recv(512).decode().partition(" ")
    except (TimeoutError, ConnectionRefusedError):
        return ""
    return name if echoed == question else f"late answer of {name}"


if __name__ == "__main__":
    port = int(sys.argv[2])
    if sys.argv[1] == "serve":
        serve(port, sys.argv[3])
    json.dump(ask(port, int(sys.argv[3]), sys.argv[4:]), sys.stdout)
