"""Python packages for runs: wheels are fetched by the host, checked, and unpacked for the sandbox.

May touch: files below its own folder, pip as a program. Nothing of a package is built or executed here.
"""

from engine.packages.store import PipPackages

__all__ = ["PipPackages"]
