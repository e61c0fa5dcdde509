"""What components of machines are tested with: settings, instructions and neighbours."""

from typing import Any

from actors.core.values import DONE, NO_SPACE, NO_THREAD, RUN, Doing, Thread
from actors.guest.program import Access, Instruction
from actors.machine import Effect, ProtocolError
from actors.message import Message
from actors.settings import DOMAIN_SHIFT, Settings
from kernel.costs import Costs
from kernel.policy.keys import Policy

#: actors of a machine of two cores: cores 0 and 1, and
VM, MEMORY, OTHER_MEMORY, DAEMON, ZEROER = 2, 3, 4, 5, 6
#: a frame of the other domain
FAR_FRAME = 1 << DOMAIN_SHIFT
PAGE = 4096

#: each cost is another, so that a test sees which was charged
COSTS = Costs(**{name: 1000 + n for n, name in enumerate(Costs.__struct_fields__)})


def settings(**changes: Any) -> Settings:  # noqa: ANN401 - whatever a setting is
    """Make settings of two cores, a thread on each, and two domains."""
    fields: dict[str, Any] = {
        "policy": Policy(),
        "costs": COSTS,
        "cores": 2,
        "memories": (MEMORY, OTHER_MEMORY),
        "daemons": (DAEMON, DAEMON),
        "zeroers": (ZEROER, ZEROER),
        "vm_of": (VM, VM),
        "core_of": (0, 1),
        "process_of": (0, 0),
        "interrupt_quantum_ns": 10_000,
    }
    return Settings(**{**fields, **changes})


class Asked:
    """A neighbour: has the state that it is given, and notes what it is asked to do.

    Lists of effects are left out of the notes. `answers` are what methods return, by name.
    """

    def __init__(self, answers: dict[str, Any] | None = None, **state: Any) -> None:  # noqa: ANN401
        self.__dict__.update(state)
        self.answers = answers or {}
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        def ask(*args: object) -> Any:  # noqa: ANN401
            self.asked.append((name, *(a for a in args if not isinstance(a, list))))
            return self.answers.get(name)

        return ask


class OnCore:
    """In place of `Running`: a thread at one instruction."""

    me = 0

    def __init__(
        self,
        instruction: Instruction | None = None,
        thread: int = 0,
        doing: Doing = RUN,
        asid: int = 0,
        pc: int = 5,
        part: int = 0,
        left_ns: int = 0,
    ) -> None:
        self.at = instruction
        self.thread, self.doing, self.asid = thread, doing, asid
        self.pc, self.part, self.left_ns = pc, part, left_ns
        #: for who asks the guest itself
        self.guest = Asked({"at": instruction})

    def instruction(self) -> Instruction | None:
        return self.at

    def advance(self, _out: list[Effect]) -> bool:
        self.pc, self.part = self.pc + 1, 0
        return True

    def expect(self, m: Message, *doing: Doing) -> None:
        if m.op != self.thread or self.doing not in doing:
            self.refuse(m)

    def refuse(self, m: Message) -> None:
        raise ProtocolError(f"{m!r} in {self.doing.name}")

    def take(self, thread: int, state: Thread) -> None:
        self.thread, self.pc, self.part = thread, state.pc, state.part
        self.doing, self.left_ns = state.doing, state.left_ns

    def leave(self, doing: Doing, resume: Doing = RUN) -> Thread:
        state = Thread(self.pc, self.part, doing, resume, self.left_ns)
        self.thread, self.doing, self.left_ns = NO_THREAD, DONE, 0
        return state


def nobody(asid: int = NO_SPACE) -> OnCore:
    """Make a core with no thread on it."""
    return OnCore(thread=NO_THREAD, doing=DONE, asid=asid)


def stores(page: int, count: int = 1, stride: int = PAGE) -> Access:
    """Make a run of stores from the first granule of a page on."""
    return Access(page * PAGE, count, stride, write=True)


def loads(page: int, count: int = 1, stride: int = PAGE) -> Access:
    """Make a run of loads."""
    return Access(page * PAGE, count, stride, write=False)
