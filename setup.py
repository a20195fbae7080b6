"""One step that pyproject.toml cannot say: compile the kernel program where clang is at hand."""

import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

COMPILE = Path(__file__).resolve().parent / "scripts" / "core"


class BuildWithKernelProgram(build_py):
    """Put the object for the loader ``core`` beside its sources, then collect files as usual."""

    def run(self) -> None:
        """Leave the object out where it cannot be compiled: the loader ``bcc`` does without."""
        done = subprocess.run([COMPILE], check=False, capture_output=True, text=True)  # noqa: S603  our own script
        sys.stderr.write(done.stdout + done.stderr)
        super().run()


setup(cmdclass={"build_py": BuildWithKernelProgram})
