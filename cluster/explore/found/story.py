"""Tell an order as a story: numbered steps, a lane for each machine, and where it went wrong."""

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
from cluster.hosts.untimed import FreeRun, MachineFailedError
from cluster.scenario.setup import Setup
from kernel.hazards.switches import Hazard


class Told(msgspec.Struct, frozen=True):
    """A step: who takes which message, and what it sends."""

    number: int
    receiver: str
    #: an actor, or `timer`
    sender: str
    #: thread or kernel thread in whose course it comes
    operation: str
    message: str
    sends: tuple[str, ...]


class Departure(msgspec.Struct, frozen=True):
    """Where the correct variant goes another way in the same order."""

    #: first step after which its state is another; the first at which it sends something else,
    #: or can not take, since nobody has sent it. 0: none
    state_at: int
    sends_at: int
    receiver: str
    message: str
    #: what only the correct variant sends there, and what only this one does
    lacks: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    #: the correct variant has not been sent that message
    missing: bool = False


class Story(msgspec.Struct, frozen=True):
    """The whole of it."""

    machines: tuple[str, ...]
    #: name, core and what it does, of each thread
    threads: tuple[str, ...]
    hazards: tuple[str, ...]
    steps: tuple[Told, ...]
    #: the broken promise, and a sentence about it
    promise: str
    sentence: str
    operations: tuple[str, ...]
    departure: Departure | None


def tell(setup: Setup, path: tuple[Channel, ...]) -> Story:
    """Tell an order; it has to be one of `setup`."""
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
    """A run that keeps the effects of the last delivery."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.effects: list[Effect] = []
        self.machines: list[Machine] = build(setup.wiring, setup.settings, setup.guest)
        self.run = FreeRun(self.machines, observers=(self,))
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
        """Take no notice."""

    def text(self, message: Message) -> str:
        return self._text.message(message)

    def sends(self) -> tuple[str, ...]:
        """Tell what the last delivery sent."""
        names = self.setup.wiring.names
        told = []
        for effect in self.effects:
            if isinstance(effect, Send):
                told.append(f"{names[effect.dst]}: {self.text(effect.message)}")
            elif isinstance(effect, Timer):
                told.append(f"timer: {self.text(effect.message)}")
        return tuple(told)

    def deliver(self, channel: Channel) -> str:
        """Deliver; give what the machine raised, or nothing."""
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
    """Run the correct variant beside this one, until it sends something else."""
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
