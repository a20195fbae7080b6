"""Every workload of a trial: what it is called, needs, and waits between two rounds."""

from __future__ import annotations

from oddcall.models.errors import SettingError
from oddcall.service.trial import chores, servers
from oddcall.service.trial.workload import Workload

#: What misbehaves in a trial: always among the work.
WEB = Workload(
    "web",
    "the demo server under a mixed load of 40 requests a second",
    needs=(),
    pause_s=1.0,
    begun=servers.serve_demo,
)
WORKLOADS: tuple[Workload, ...] = (
    WEB,
    Workload(
        "nginx",
        "nginx under a mixed load of 20 requests a second",
        needs=("nginx",),
        pause_s=1.0,
        begun=servers.serve_nginx,
    ),
    Workload(
        "redis",
        "Redis under redis-benchmark, six kinds of commands in turn",
        needs=("redis-server", "redis-benchmark"),
        pause_s=2.0,
        begun=servers.serve_redis,
    ),
    Workload(
        "postgresql",
        "PostgreSQL under pgbench, its three scripts in turn",
        needs=("initdb", "postgres", "pgbench"),
        pause_s=2.0,
        begun=servers.serve_postgres,
    ),
    Workload(
        "compile",
        "make of a small C program, then git add, commit, log, status",
        needs=("make", "git"),
        pause_s=4.0,
        begun=chores.compile_program,
    ),
    Workload(
        "backup",
        "tar and gzip of a folder, and now and then a restore",
        needs=("tar", "gzip"),
        pause_s=4.0,
        begun=chores.back_up,
    ),
    Workload(
        "cron",
        "a shell script that finds, sorts, counts and greps",
        needs=("sh", "find", "awk"),
        pause_s=4.0,
        begun=chores.run_cron_job,
    ),
    Workload(
        "log-rotation",
        "a shell script that copies, cuts and compresses its logs",
        needs=("sh", "gzip"),
        pause_s=5.0,
        begun=chores.rotate_logs,
    ),
    Workload(
        "pip",
        "pip install of a local wheel",
        needs=(),
        pause_s=10.0,
        begun=chores.install_wheel,
    ),
    Workload(
        "dpkg",
        "dpkg installs and removes a local package below a folder of its own",
        needs=("dpkg", "dpkg-deb"),
        pause_s=6.0,
        begun=chores.install_package,
    ),
    Workload(
        "python-service",
        "a Python service that keeps books in SQLite",
        needs=(),
        pause_s=1.0,
        begun=chores.run_service,
    ),
    Workload(
        "upgrade",
        "a program that is run again and again, and replaced by another build now and then",
        needs=("sha256sum",),
        pause_s=3.0,
        begun=chores.upgrade_program,
    ),
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
    return tuple(w for w in WORKLOADS if not names or w.name in {*names, WEB.name})
