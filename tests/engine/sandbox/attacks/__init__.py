"""Programs that try to get out or to hurt the host, each with how its containment shows."""

from tests.engine.sandbox.attacks.attack import Attack
from tests.engine.sandbox.attacks.doors import DOORS
from tests.engine.sandbox.attacks.files import FILES
from tests.engine.sandbox.attacks.host import HOST
from tests.engine.sandbox.attacks.kernel import KERNEL
from tests.engine.sandbox.attacks.leavings import LEAVINGS
from tests.engine.sandbox.attacks.memory import MEMORY
from tests.engine.sandbox.attacks.processes import PROCESSES

ATTACKS: tuple[Attack, ...] = (*HOST, *KERNEL, *PROCESSES, *MEMORY, *FILES, *DOORS, *LEAVINGS)

__all__ = ["ATTACKS", "Attack"]
