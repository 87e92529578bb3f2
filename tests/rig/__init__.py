"""The rig: throw-away hosts with real engines and switches, and what tests ask of them. See docs/testing.md.

Rig ──makes──► Host (NamespaceHost | KernelHost) ──has──► Agent, Container
                │ run, spawn, services                     │
                ▼                                          ▼
          ./hosts, ./uml, ./services (bash)            traffic.Flood
"""
