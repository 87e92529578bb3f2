"""`make bench`: `ovsnet bench attach` on a throw-away host, so that nothing of this machine takes part in it.

python -m tests.rig.bench [arguments of ovsnet bench attach]
"""

import sys
from collections.abc import Sequence

from tests.rig.process import Completed
from tests.rig.rig import Rig

LONGEST = 1200.0


def measure(arguments: Sequence[str]) -> Completed:
    """The bench on a fresh host with a fresh agent; the host is gone afterwards."""
    with Rig() as rig:
        host = rig.host()
        host.agent.start()
        try:
            return host.ovsnet("bench", "attach", *arguments, check=False, timeout=LONGEST)
        finally:
            host.agent.stop()


if __name__ == "__main__":
    done = measure(sys.argv[1:])
    sys.stderr.write(done.stderr)
    sys.stdout.write(done.stdout)
    sys.exit(done.returncode)
