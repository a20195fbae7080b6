#!/usr/bin/env python3
"""A web server is learned for ten minutes, watched for ten, then taken over: what is said of it.

Usage: sudo .venv/bin/python benchmarks/scenario.py [--learn 10m] [--watch 10m] [--keep DIR]

Beside two web servers under a mixed load run Redis and PostgreSQL under their own benchmarks, make
of a small C program, git, tar and shell scripts. Then each server's own process spawns a shell on
a socket, scans ports, and rewrites files: the demo server's by `oddcall simulate`, nginx's worker
by a handler in Perl (Debian: nginx-light, libnginx-mod-http-perl). What was judged is replayed.
What is not installed is left out, and said.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from oddcall.models.durations import parse_duration
from oddcall.service.screen import Status, open_screen
from oddcall.service.simulate import Outcome
from oddcall.service.simulate.catalogue import named
from oddcall.service.trial.catalogue import chosen
from oddcall.service.trial.report import Report
from oddcall.service.trial.servers import load_on, nginx
from oddcall.service.trial.trial import Course, Plan, observe, run
from oddcall.service.trial.workload import Round, Workload

BEHAVIOURS = ("shell-on-socket", "port-scan", "bulk-rewrite")
WORKLOADS = ("web", "redis", "postgresql", "compile", "backup", "cron")
MODULE = Path("/usr/lib/nginx/modules/ngx_http_perl_module.so")
HANDLER = r"""
package Taken;
use strict; use nginx; use Socket; use POSIX (); use Time::HiRes qw(time);

sub shell {
    socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, 0) or die;
    my $pid = fork();
    if (!$pid) {
        POSIX::dup2(fileno($theirs), $_) for 0, 1, 2;
        exec "/bin/sh";
        POSIX::_exit(1);
    }
    close $theirs;
    syswrite $ours, "id; exit\n";
    sysread $ours, my $said, 4096;
    waitpid $pid, 0;
}

sub scan {
    for my $port (1 .. 1000) {
        socket(my $probe, PF_INET, SOCK_STREAM, 0) or next;
        connect($probe, sockaddr_in($port, inet_aton("127.0.0.1")));
        close $probe;
    }
}

sub rewrite {
    my $folder = shift;
    mkdir $folder;
    for my $n (1 .. 100) {
        open my $file, ">", "$folder/$n.txt" or next;
        syswrite $file, "report $n\n" x 500;
        close $file;
    }
    for my $n (1 .. 100) {
        open my $file, "+<", "$folder/$n.txt" or next;
        sysread $file, my $content, 8192;
        seek $file, 0, 0;
        syswrite $file, $content ^ ("\x55" x length $content);
        close $file;
        rename "$folder/$n.txt", "$folder/$n.locked";
    }
}

sub handler {
    my $r = shift;
    my $start = time;
    my ($name) = $r->uri =~ m{([a-z-]+)$};
    my %act = ("shell-on-socket" => \&shell, "port-scan" => \&scan,
               "bulk-rewrite" => sub { rewrite($r->variable("taken_folder")) });
    return 404 unless $act{$name};
    $act{$name}->();
    $r->send_http_header("application/json");
    $r->print(sprintf '{"pid": %d, "start": %.6f, "end": %.6f}', $$, $start, time);
    return OK;
}
1;
"""


def taken_nginx(place: list[str]) -> Workload:
    """Put nginx under load, with a handler that misbehaves in its worker; tells its address."""

    @contextmanager
    def begun(folder: Path) -> Iterator[Round]:
        (folder / "Taken.pm").write_text(HANDLER)
        first = f"load_module {MODULE};\nuser root;"
        inside = f"set $taken_folder {folder}/taken;location /taken/ {{ perl Taken::handler; }}\n"
        perl = f"perl_modules {folder}; perl_require Taken.pm;"
        with nginx(folder, first, inside, perl) as url, load_on(url, 20.0, folder):
            place.append(url)
            yield lambda _turn: None

    return Workload("nginx", "nginx under a mixed load", ("nginx", "perl"), 1.0, begun)


def take(url: str, name: str) -> Outcome:
    """Make nginx's worker misbehave."""
    with urllib.request.urlopen(f"{url}/taken/{name}", timeout=60) as answer:
        told = json.loads(answer.read())
    program = str(Path(f"/proc/{told['pid']}/exe").readlink())
    does = named(name)
    seen = (does.technique, not does.invisible)
    return Outcome(name, told["pid"], program, "", told["start"], told["end"], {}, *seen)


def main() -> int:
    """Run the scenario; exit code 1 when an alert is missing, false, or not the same again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learn", default="10m")
    parser.add_argument("--watch", default="10m")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    place: list[str] = []
    workloads = list(chosen(WORKLOADS))
    if MODULE.exists():
        workloads.append(taken_nginx(place))
    else:
        print(f"nginx is left out: there is no {MODULE}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = (given.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        plan = Plan(
            folder,
            workloads,
            [named(name) for name in BEHAVIOURS],
            parse_duration(given.learn),
            parse_duration(given.watch),
            "1/day",
        )
        screen = open_screen(sys.stdout)

        def more(course: Course) -> None:
            for name in BEHAVIOURS if place else ():
                told = partial(screen.show, Status(f"nginx: {name}"))
                course.found.append(
                    observe(named(name), partial(take, place[0], name), course, told)
                )

        report = Report.of(plan, run(plan, screen, more), [])
        screen.close()
        print("\n".join(report.lines()))
        missed = [found.name for found in report.visible if not found.caught]
        return int(bool(missed or report.over_budget or report.replayed is False))


if __name__ == "__main__":
    sys.exit(main())
