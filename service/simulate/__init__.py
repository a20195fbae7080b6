"""Harmless but real behaviours to try the alerts on.

`behaviours` lists them and `run` runs one; `serve` becomes a web server whose own process can
be made to misbehave, and `load` gives that server something ordinary to do first. `include` lets
behaviours of one's own join.
"""

from oddcall.service.simulate.behaviour import Behaviour
from oddcall.service.simulate.catalogue import behaviours, include
from oddcall.service.simulate.launch import default_workdir, run, serve, serve_command
from oddcall.service.simulate.outcome import Outcome
from oddcall.service.simulate.traffic import load

__all__ = [
    "Behaviour",
    "Outcome",
    "behaviours",
    "default_workdir",
    "include",
    "load",
    "run",
    "serve",
    "serve_command",
]
