"""Every workload of a trial."""

from __future__ import annotations

from oddcall.models.errors import SettingError
from oddcall.service.trial import chores, servers
from oddcall.service.trial.workload import Workload

WORKLOADS: tuple[Workload, ...] = (
    servers.WEB,
    servers.NGINX,
    servers.REDIS,
    servers.POSTGRES,
    chores.COMPILE,
    chores.BACKUP,
    chores.CRON,
    chores.ROTATION,
    chores.PIP,
    chores.DPKG,
    chores.SERVICE,
    chores.UPGRADE,
)


def chosen(names: tuple[str, ...]) -> tuple[Workload, ...]:
    """Pick workloads by name; all of them when none is named. The web server is always there.

    Raises
    ------
    SettingError
        If there is none of a name.
    """
    known = {workload.name: workload for workload in WORKLOADS}
    for name in names:
        if name not in known:
            raise SettingError("there is no such workload", expected=", ".join(known), got=name)
    return tuple(w for w in WORKLOADS if not names or w.name in {*names, servers.WEB.name})
