"""Whether other members still believe who this host is, in the words the doctor has for it."""

import time
from collections.abc import Iterator

from ovsnet.cluster.identity import IdentityFiles
from ovsnet.cluster.keyfiles import check_files
from ovsnet.model.errors import OvsnetError
from ovsnet.model.ids import HostName
from ovsnet.observe.findings import Level
from ovsnet.observe.member_findings import certificate
from ovsnet.observe.member_readings import MemberReadings


def troubles(files: IdentityFiles, host: HostName, level: Level) -> Iterator[str]:
    """What is wrong with the files that say who this host is, as far as it is of this level, with what to do."""
    try:
        readings = MemberReadings(name=host, expires=check_files(files))
    except OvsnetError as error:
        readings = MemberReadings(name=host, why=str(error))
    found = certificate(readings, time.time())
    if found.level is level:
        yield f"{found.says[0].upper()}{found.says[1:]}. {found.remedy[0].upper()}{found.remedy[1:]}."
