"""One decision by Lamport's Paxos: a server that is given a value proposes it in its own ballot.

A server that knows the decision answers reads and nothing else; one that does not ignores them.
"""

from typing import NamedTuple

from tests.models.network import Message, Sends
from tests.models.register import most, others

#: a round, and the server that leads it
Ballot = tuple[int, int]
#: a request, its client, its value
Proposal = tuple[int, int, str]
Accepted = tuple[Ballot, Proposal]


class Server(NamedTuple):
    """A proposer, acceptor and learner in one."""

    ballot: Ballot = (0, 0)
    proposal: Proposal | None = None
    #: who joined the ballot, with what each had accepted before
    joined: frozenset[tuple[int, Accepted | None]] = frozenset()
    agreed: frozenset[int] = frozenset()
    accepted: Accepted | None = None
    decided: bool = False


class Paxos(NamedTuple):
    """One of so many servers."""

    servers: int

    def start(self, _me: int) -> tuple[Server, Sends]:
        return Server(), []

    def receive(self, me: int, state: Server, src: int, message: Message) -> tuple[Server, Sends]:
        kind, *rest = message
        if state.decided:
            return self._told(state, src, message)
        if kind == "put" and state.proposal is None:
            return self._propose(me, state, (rest[0], src, rest[1]))
        if kind == "joined" and rest[0] == state.ballot:
            return self._joined(me, state, src, rest[1])
        if kind == "agreed" and rest[0] == state.ballot:
            return self._agreed(me, state, src)
        if kind == "decided":
            return state._replace(ballot=rest[0], accepted=(rest[0], rest[1]), decided=True), []
        return self._asked(state, src, message)

    def _told(self, state: Server, src: int, message: Message) -> tuple[Server, Sends]:
        if message[0] != "get":
            return state, []
        assert state.accepted
        return state, [(src, ("get_ok", message[1], state.accepted[1][2]))]

    def _asked(self, state: Server, src: int, message: Message) -> tuple[Server, Sends]:
        kind, ballot, *rest = message
        if kind == "prepare" and ballot > state.ballot:
            return state._replace(ballot=ballot), [(src, ("joined", ballot, state.accepted))]
        if kind == "accept" and ballot >= state.ballot:
            accepted = (ballot, rest[0])
            return state._replace(ballot=ballot, accepted=accepted), [(src, ("agreed", ballot))]
        return state, []

    def _propose(self, me: int, state: Server, proposal: Proposal) -> tuple[Server, Sends]:
        ballot = (state.ballot[0] + 1, me)
        joined = frozenset({(me, state.accepted)})
        state = state._replace(ballot=ballot, proposal=proposal, joined=joined, agreed=frozenset())
        return state, others(self.servers, me, ("prepare", ballot))

    def _joined(
        self, me: int, state: Server, src: int, accepted: Accepted | None
    ) -> tuple[Server, Sends]:
        state = state._replace(joined=state.joined | {(src, accepted)})
        if len(state.joined) != most(self.servers):
            return state, []
        # what may have been decided already must be proposed again
        before = [accepted for _, accepted in state.joined if accepted]
        proposal = max(before)[1] if before else state.proposal
        assert proposal
        state = state._replace(
            proposal=proposal, accepted=(state.ballot, proposal), agreed=state.agreed | {me}
        )
        return state, others(self.servers, me, ("accept", state.ballot, proposal))

    def _agreed(self, me: int, state: Server, src: int) -> tuple[Server, Sends]:
        state = state._replace(agreed=state.agreed | {src})
        if len(state.agreed) != most(self.servers):
            return state, []
        assert state.proposal
        request, client, _ = state.proposal
        decided = others(self.servers, me, ("decided", state.ballot, state.proposal))
        return state._replace(decided=True), [*decided, (client, ("put_ok", request))]
