"""The interpreter of effects: order, times and numbers, whatever the sink."""

from actors.facts import Stalled
from actors.machine import Note, Send, Spend, Timer
from actors.messages import Step
from cluster.hosts.channel import TIMER, in_fixed_order, sender
from cluster.hosts.effects import interpret
from cluster.hosts.mailboxes import Mailboxes

ME = 3


class Tape:
    """A sink that keeps what it is handed."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def send(self, when: int, src: int, seq: int, effect: Send) -> None:
        self.heard.append(("send", when, src, seq, effect.dst))

    def timer(self, when: int, actor: int, seq: int, effect: Timer) -> None:
        self.heard.append(("timer", when, actor, seq, effect.after_ns))

    def note(self, when: int, actor: int, fact: object) -> None:
        self.heard.append(("note", when, actor, fact))


def test_effects_come_in_order_each_at_its_time() -> None:
    tape, fact = Tape(), Stalled(1)
    effects = [
        Send(7, Step(0)),
        Spend(100),
        Send(8, Step(0)),
        Note(fact),
        Timer(5, Step(1)),
        Spend(20),
        Send(7, Step(2), after_ns=9),
    ]
    assert interpret(ME, 1000, effects, {}, tape) == 1120
    assert tape.heard == [
        ("send", 1000, ME, 0, 7),
        ("send", 1100, ME, 0, 8),
        ("note", 1100, ME, fact),
        ("timer", 1100, ME, 0, 5),
        ("send", 1120, ME, 1, 7),
    ]


def test_messages_to_oneself_and_timers_are_numbered_together() -> None:
    tape = Tape()
    sent = {ME: 4, 7: 1}
    interpret(ME, 0, [Timer(1, Step(0)), Send(ME, Step(0)), Send(7, Step(0))], sent, tape)
    assert [seq for _, _, _, seq, _ in tape.heard] == [4, 5, 1]
    assert sent == {ME: 6, 7: 2}


def test_mailboxes_keep_timers_apart_and_a_copy_goes_on_alone() -> None:
    mailboxes = Mailboxes(8)
    posted = mailboxes.post(ME, [Send(ME, Step(5)), Timer(1, Step(5)), Send(ME, Step(5))])
    assert posted == [(ME, ME, 5), (ME, TIMER, 5), (ME, ME, 5)]
    twin = mailboxes.copy()
    assert twin.post(ME, [Send(7, Step(6))]) == [(7, ME, 6)]
    assert [twin.take(channel)[0] for channel in posted] == [0, 1, 2]
    assert list(mailboxes) == [(ME, ME, 5), (ME, TIMER, 5)]
    assert mailboxes.oldest((ME, TIMER, 5)) == 1
    assert mailboxes.at(7) == []


def test_channels_are_listed_by_sender_lane_and_receiver_timers_last() -> None:
    listed = [(1, 0, 4), (2, 0, 4), (0, 0, 5), (0, TIMER, 5), (9, 0, 5), (0, 1, 2), (1, TIMER, 2)]
    assert in_fixed_order(reversed(listed)) == listed
    assert [sender(channel) for channel in listed] == [0, 0, 0, 0, 0, 1, 1]
