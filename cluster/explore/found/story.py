"""Tell an order as a story: numbered steps, by machine, and where it goes wrong."""

from collections.abc import Iterable

import msgspec

from actors.machine import Effect, Machine, Send, Timer
from actors.message import Message
from actors.message_text import MessageText
from actors.messages import Step
from actors.vm.machine import Vm
from actors.wiring import build
from cluster.explore.walk import PROTOCOL, Walks, follow
from cluster.hosts.channel import TIMER, Channel
from cluster.hosts.effects import interpret
from cluster.hosts.untimed import MachineFailedError, UntimedRun
from cluster.scenario.setup import Setup
from kernel.hazards.switches import Hazard


class Told(msgspec.Struct, frozen=True):
    """A step: which machine receives which message, and what it sends."""

    number: int
    receiver: str
    #: an actor, or `timer`
    sender: str
    #: the thread or kernel thread that it belongs to
    operation: str
    message: str
    sends: tuple[str, ...]


class Departure(msgspec.Struct, frozen=True):
    """Where the correct variant departs in the same order."""

    #: the first step after which its state differs; the first at which it sends something else, or
    #: whose message it was never sent. 0: none
    state_at: int
    sends_at: int
    receiver: str
    message: str
    #: what only the correct variant sends there; what only this one sends
    lacks: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    #: the correct variant was never sent that message
    missing: bool = False


class Story(msgspec.Struct, frozen=True):
    """The whole story."""

    machines: tuple[str, ...]
    #: name, process and program of each thread
    threads: tuple[str, ...]
    hazards: tuple[str, ...]
    steps: tuple[Told, ...]
    #: the broken promise (empty: none), and a sentence about it
    promise: str
    sentence: str
    operations: tuple[str, ...]
    departure: Departure | None


def tell(setup: Setup, path: tuple[Channel, ...]) -> Story:
    """Tell an order of `setup`."""
    violation = follow(Walks(setup), path).violation()
    steps = tuple(_steps(setup, path))
    names = setup.wiring.names
    heard = {step.receiver for step in steps}
    scenario = setup.scenario
    return Story(
        machines=tuple(name for name in names if name in heard),
        threads=tuple(
            f"{info.name} in process {info.process}: {'; '.join(table.run)}"
            for info, table in zip(setup.guest.threads, scenario.thread, strict=False)
        ),
        hazards=tuple(scenario.run.hazards),
        steps=steps,
        promise="" if violation is None else violation.property,
        sentence="" if violation is None else violation.text,
        operations=() if violation is None else violation.operations,
        departure=_departure(setup, path) if scenario.run.hazards else None,
    )


class _Machines:
    """A run that remembers the last delivery and its effects."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.effects: list[Effect] = []
        self.machines: list[Machine] = build(setup.wiring, setup.settings, setup.guest)
        self.run = UntimedRun(self.machines, observers=(self,))
        self.run.start()
        self.message = ""
        names = setup.wiring.names
        self._text = MessageText(
            lambda actor: names[actor] if 0 <= actor < len(names) else str(actor), self._lane
        )

    def _lane(self, lane: int) -> str:
        return self.setup.lane_name(lane) if lane >= 0 else "nobody"

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        """Take no notice: the story begins with the first delivery."""

    def delivered(
        self,
        when: int,  # noqa: ARG002 - as Observer
        dst: int,  # noqa: ARG002 - as Observer
        src: int,  # noqa: ARG002 - as Observer
        seq: int,  # noqa: ARG002 - as Observer
        message: Message,  # noqa: ARG002 - as Observer
        effects: list[Effect],
    ) -> None:
        self.effects = effects

    def noted(self, when: int, actor: int, fact: object) -> None:
        """Ignore it."""

    def text(self, message: Message) -> str:
        return self._text.message(message)

    def sends(self) -> tuple[str, ...]:
        """Return what the last delivery sent."""
        told = _Sends(self)
        interpret(0, 0, self.effects, {}, told)
        return tuple(told.lines)

    def deliver(self, channel: Channel) -> str:
        """Deliver; return what the machine raised, empty if nothing."""
        self.effects = []
        message, machine = self.run.mailboxes.peek(channel), self.machines[channel[0]]
        self.message = self.text(message)
        if isinstance(message, Step) and isinstance(machine, Vm):
            self.message += f": {machine.next_step(message.op)}"
        try:
            self.run.deliver(channel)
        except MachineFailedError as e:
            return e.text
        return ""


class _Sends:
    """A sink that tells what is sent."""

    def __init__(self, machines: _Machines) -> None:
        self.lines: list[str] = []
        self._names = machines.setup.wiring.names
        self._text = machines.text

    def send(self, when: int, src: int, seq: int, effect: Send) -> None:  # noqa: ARG002 - as Sink
        self.lines.append(f"{self._names[effect.dst]}: {self._text(effect.message)}")

    def timer(self, when: int, actor: int, seq: int, effect: Timer) -> None:  # noqa: ARG002 - as Sink
        self.lines.append(f"timer: {self._text(effect.message)}")

    def note(self, when: int, actor: int, fact: object) -> None:
        """Ignore it."""


def _steps(setup: Setup, path: Iterable[Channel]) -> Iterable[Told]:
    machines = _Machines(setup)
    names = setup.wiring.names
    for number, channel in enumerate(path, 1):
        dst, src, lane = channel
        failed = machines.deliver(channel)
        yield Told(
            number=number,
            receiver=names[dst],
            sender="timer" if src == TIMER else names[src],
            operation=setup.lane_name(lane),
            message=machines.message,
            sends=(f"{PROTOCOL}: {failed}",) if failed else machines.sends(),
        )


def _departure(setup: Setup, path: Iterable[Channel]) -> Departure | None:
    """Run the correct variant alongside, until it sends something else."""
    settings = msgspec.structs.replace(setup.settings, hazards=Hazard.NONE)
    wrong, right = _Machines(setup), _Machines(msgspec.structs.replace(setup, settings=settings))
    found: Departure | None = None
    for number, channel in enumerate(path, 1):
        dst, name = channel[0], setup.wiring.names[channel[0]]
        missing = channel not in right.run.mailboxes
        raised = wrong.deliver(channel)
        if missing or raised or right.deliver(channel):
            state_at = 0 if found is None else found.state_at
            return Departure(state_at, number, name, wrong.message, missing=missing)
        mine, its = list(wrong.sends()), list(right.sends())
        if found is None and wrong.machines[dst].freeze() != right.machines[dst].freeze():
            found = Departure(number, 0, name, wrong.message)
        if mine != its:
            state_at = 0 if found is None else found.state_at
            lacks, adds = tuple(_without(its, mine)), tuple(_without(mine, its))
            return Departure(state_at, number, name, wrong.message, lacks, adds)
    return found


def _without(texts: list[str], others: list[str]) -> list[str]:
    left = others.copy()
    found = []
    for text in texts:
        if text in left:
            left.remove(text)
        else:
            found.append(text)
    return found
