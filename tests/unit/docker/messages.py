"""Messages as engines send them: recorded from 20.10.24, 26.1.5, 28.5.2 and 29.7.2, with ids of our own."""

from typing import Any

NETWORK = "8a34c699" * 8
SWARM_NETWORK = "k6m9rgsgc4ynej5uria58aza7"
ENDPOINT = "b4bf8425" * 8
SANDBOX = "/var/run/docker/netns/9a7ce0cf62f6"

Message = dict[str, Any]

CREATE_NETWORK: dict[str, Message] = {
    "20.10 plain": {
        "NetworkID": NETWORK,
        "Options": {"com.docker.network.generic": {}},
        "IPv4Data": [{"AddressSpace": "LocalDefault", "Pool": "172.19.0.0/16", "Gateway": "172.19.0.1/16"}],
        "IPv6Data": [],
    },
    "29.7 with everything": {
        "NetworkID": NETWORK,
        "Options": {
            "com.docker.network.enable_ipv4": True,
            "com.docker.network.enable_ipv6": True,
            "com.docker.network.internal": True,
            "com.docker.network.generic": {"com.docker.network.driver.mtu": "1400", "icc": "false"},
        },
        "IPv4Data": [
            {
                "AddressSpace": "ovsnet-local",
                "Pool": "10.50.0.0/16",
                "Gateway": "10.50.0.1/16",
                "AuxAddresses": {"r1": "10.50.4.9/16", "r2": "10.50.0.250/16"},
            }
        ],
        "IPv6Data": [
            {
                "AddressSpace": "ovsnet-local",
                "Pool": "fd00:50::/64",
                "Gateway": "fd00:50::1/64",
                "AuxAddresses": {},
            }
        ],
    },
    "null IPAM driver": {
        "NetworkID": NETWORK,
        "Options": {"com.docker.network.generic": None},
        "IPv4Data": [{"AddressSpace": "null", "Pool": "0.0.0.0/0"}],
        "IPv6Data": None,
    },
    "28 IPv6 only": {
        "NetworkID": NETWORK,
        "Options": {
            "com.docker.network.enable_ipv4": False,
            "com.docker.network.enable_ipv6": True,
            "com.docker.network.generic": {},
        },
        "IPv4Data": None,
        "IPv6Data": [{"AddressSpace": "LocalDefault", "Pool": "fd00:51::/64", "Gateway": "fd00:51::1/64"}],
    },
    "swarm": {
        "NetworkID": SWARM_NETWORK,
        "Options": {"com.docker.network.generic": {"vni": "5001"}, "com.docker.network.internal": False},
        "IPv4Data": [{"AddressSpace": "", "Gateway": "10.83.0.1/24", "Pool": "10.83.0.0/24"}],
        "IPv6Data": None,
    },
}

CREATE_ENDPOINT: dict[str, Message] = {
    "everything asked for": {
        "NetworkID": NETWORK,
        "EndpointID": ENDPOINT,
        "Interface": {"Address": "10.60.0.99/24", "AddressIPv6": "", "MacAddress": "02:42:aa:bb:cc:dd"},
        "Options": {
            "com.docker.network.endpoint.dnsservers": ["9.9.9.9"],
            "com.docker.network.endpoint.macaddress": "AkKqu8zd",
            "com.docker.network.endpoint.exposedports": [{"Proto": 17, "Port": 53}, {"Proto": 6, "Port": 80}],
            "com.docker.network.portmap": [
                {
                    "Proto": 6,
                    "IP": "",
                    "Port": 80,
                    "HostIP": "",
                    "HostPort": 8080,
                    "HostPortEnd": 8080,
                }
            ],
        },
    },
    "nothing asked for": {
        "NetworkID": NETWORK,
        "EndpointID": ENDPOINT,
        "Interface": {"Address": "10.60.0.2/24", "AddressIPv6": "fd00:60::2/64", "MacAddress": ""},
        "Options": {
            "com.docker.network.endpoint.exposedports": [],
            "com.docker.network.portmap": [],
            "vlan": "7",
        },
    },
    "layer 2 only": {
        "NetworkID": NETWORK,
        "EndpointID": ENDPOINT,
        "Interface": {"Address": "", "AddressIPv6": "", "MacAddress": ""},
        "Options": None,
    },
    "no interface": {"NetworkID": NETWORK, "EndpointID": ENDPOINT, "Interface": None, "Options": {}},
}

JOIN: Message = {
    "NetworkID": NETWORK,
    "EndpointID": ENDPOINT,
    "SandboxKey": SANDBOX,
    "Options": {
        "com.docker.network.endpoint.exposedports": [],
        "com.docker.network.portmap": [],
        "com.docker.network.driver.private.no_proxy_6to4": False,
    },
}

NAMED: Message = {"NetworkID": NETWORK, "EndpointID": ENDPOINT}

REQUEST_POOL: dict[str, Message] = {
    "20.10 any": {"AddressSpace": "ovsnet-local", "Pool": "", "SubPool": "", "Options": None, "V6": False},
    "29.7 any IPv6": {"AddressSpace": "ovsnet-local", "Pool": "", "SubPool": "", "Options": {}, "V6": True},
    "29.7 given": {
        "AddressSpace": "ovsnet-local",
        "Pool": "10.50.0.0/16",
        "SubPool": "10.50.4.0/24",
        "Options": {},
        "V6": False,
    },
}


def request_address(pool_id: str) -> dict[str, Message]:
    """Every form an address is asked for in."""
    gateway = {"RequestAddressType": "com.docker.network.gateway"}
    return {
        "gateway": {"PoolID": pool_id, "Address": "", "Options": gateway},
        "aux": {"PoolID": pool_id, "Address": "10.50.4.9", "Options": None},
        "28 endpoint": {"PoolID": pool_id, "Address": "", "Options": None},
        "29 endpoint": {
            "PoolID": pool_id,
            "Address": "",
            "Options": {"com.docker.network.endpoint.name": "c1"},
        },
        "with MAC": {
            "PoolID": pool_id,
            "Address": "",
            "Options": {"com.docker.network.endpoint.macaddress": "02:42:49:c6:5a:da"},
        },
        "swarm": {"PoolID": pool_id, "Address": "", "Options": {"com.docker.network.ipam.serial": "true"}},
    }
