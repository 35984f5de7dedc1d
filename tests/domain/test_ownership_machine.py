"""However nodes sleep, die, wake and claim: one owner, whole histories, and turns that end."""

from __future__ import annotations

from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from tests.domain import ask
from tests.domain.cluster import MAX_STEPS, Log, Node, answer, claim
from turnlog.domain.commands import Command
from turnlog.domain.identity import turn_id_in
from turnlog.domain.takeover import MAX_FRUITLESS
from turnlog.domain.turn import RunningTurn
from turnlog.domain.values import OnBusy

NODES = 3
numbers = st.integers(0, 99)
deeds = st.lists(numbers, min_size=4, max_size=12)
mostly = numbers.map(lambda number: number % 4 < 3)
texts = st.sampled_from(["", "a", "bc"])
modes: st.SearchStrategy[OnBusy] = st.sampled_from(["enqueue", "interrupt", "steer", "reject"])


class Ownership(RuleBasedStateMachine):
    """The auditor of the log checks every event that lands, and every tool that is started."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.time, self.names, self.turns = count(ask.NOW), count(1), count(1)
        self.nodes: list[Node] = []
        self.gone: list[Node] = []
        self.rows: list[RunningTurn] = []
        self.asked: list[RunningTurn] = []

    @initialize()
    def a_turn_begins(self) -> None:
        for _ in range(NODES):
            self.a_node_joins()
        self.sends(self.nodes[0], ask.create())
        self.a_message_is_submitted(0, "enqueue", at_once=True)

    # ------------------------------------------------------- what clients do

    @rule(number=numbers, on_busy=modes, at_once=mostly)
    def a_message_is_submitted(self, number: int, on_busy: OnBusy, at_once: bool) -> None:
        if node := self.free(number):
            turn_id = turn_id_in(ask.CONVERSATION, ask.NOW + next(self.turns), bytes(8))
            self.sends(node, ask.submit(turn_id, on_busy=on_busy, node=node.name), at_once)

    @rule(number=numbers, which=numbers, at_once=mostly)
    def a_turn_is_cancelled(self, number: int, which: int, at_once: bool) -> None:
        """One of the last that were queued, whatever has become of it."""
        turns = sorted(self.log.auditor.queued)[-3:]
        if node := self.free(number):
            cancel = replace(ask.cancel(turns[which % len(turns)]), node=node.name)
            self.sends(node, cancel, at_once)

    # ---------------------------------------------------- what those who are asked do

    @rule(number=numbers, which=numbers, at_once=mostly)
    def a_call_is_answered(self, number: int, which: int, at_once: bool) -> None:
        """By any node; perhaps for the second time, since who answers may not know."""
        turn = self.log.state.running
        if turn is not None and turn.wanted:
            self.asked.append(turn)
        if self.asked and (node := self.free(number)):
            rows = self.asked[-2:]
            given = answer(rows[which % len(rows)], which, node.name)
            if given is not None:
                self.sends(node, given, at_once)

    @rule(deeds=deeds, one=numbers, other=numbers, which=numbers, last_first=st.booleans())
    def two_answer_at_once(
        self, deeds: list[int], one: int, other: int, which: int, last_first: bool
    ) -> None:
        """Each by another node, which knows the log as it was before the other's answer."""
        self.the_owner_works(deeds, "a")
        turn = self.log.state.running
        first, second = self.free(one), self.free(other)
        if turn is None or first is None or second is None or first is second:
            return
        if (given := answer(turn, which, first.name)) is None:
            return
        pair = [(first, given), (second, answer(turn, which + other, second.name))]
        for node, _ in pair:
            node.look()
        for node, command in pair:
            assert command is not None
            node.ask(command)
        for node, _ in reversed(pair) if last_first else pair:
            self.settles(node)

    @rule(number=numbers, deeds=deeds, late=st.booleans(), at_once=mostly)
    def nobody_answers(self, number: int, deeds: list[int], late: bool, at_once: bool) -> None:
        """A node finds that the turn has rested for too long; so it has, or not yet."""
        self.the_owner_works(deeds, "a")
        turn = self.log.state.running
        if turn is not None and (node := self.free(number)):
            if late:
                self.time = count(next(self.time) + ask.PATIENCE)
            self.sends(node, ask.expire(turn=turn.turn_id, node=node.name), at_once)

    # --------------------------------------------------------- what nodes do

    @rule(deeds=deeds, text=texts)
    def the_owner_works(self, deeds: list[int], text: str) -> None:
        """One deed after the other. Before that a turn may have to begin, or to be claimed."""
        turn = self.log.state.running
        if turn is None:
            self.a_message_is_submitted(deeds[0], "enqueue", at_once=True)
        elif turn.resting:
            self.a_call_is_answered(deeds[0], deeds[1], at_once=True)
        elif self.owner is None and (claimer := self.free(deeds[0])):
            self.sends(claimer, claim(turn, claimer.name))
        for deed in deeds:
            if (owner := self.owner) is not None and owner.is_awake:
                self.settles(owner)
                owner.work(deed, text)

    @rule(number=numbers, deeds=deeds, on_busy=st.sampled_from(["steer", "interrupt"]))
    def a_message_comes_in_between(self, number: int, deeds: list[int], on_busy: OnBusy) -> None:
        """What the owner said last is still on its way."""
        self.the_owner_works(deeds, "a")
        self.a_message_is_submitted(number, on_busy, at_once=True)

    @rule(number=numbers, deed=numbers, text=texts)
    def who_takes_itself_for_the_owner_acts(self, number: int, deed: int, text: str) -> None:
        """It may have slept meanwhile."""
        owners = [node for node in self.nodes if node.runner]
        if owners:
            node = owners[number % len(owners)]
            node.is_awake = True
            self.settles(node)
            node.work(deed, text)

    @rule(number=numbers)
    def an_append_arrives(self, number: int) -> None:
        """Its node may be asleep, or dead; else it learns of the outcome."""
        flying = [node for node in [*self.nodes, *self.gone] if node.flight]
        if flying:
            node = flying[number % len(flying)]
            node.deliver()
            if node.is_alive and node.is_awake:
                node.settle()

    @rule(number=numbers)
    def a_node_reads_the_log(self, number: int) -> None:
        if node := self.free(number):
            node.look()

    # --------------------------------------------------- what becomes of them

    @rule(number=numbers, deeds=deeds, dies=st.booleans(), at_once=mostly)
    def the_owner_is_lost(self, number: int, deeds: list[int], dies: bool, at_once: bool) -> None:
        """In the midst of its work, what it said last still on its way; another claims the turn."""
        self.the_owner_works(deeds, "a")
        turn, owner = self.log.state.running, self.owner
        if turn is None or owner is None:
            return
        self.rows.append(turn)
        owner.is_awake = False
        if dies:
            self.dies(owner)
        if claimer := self.free(number):
            self.sends(claimer, claim(turn, claimer.name), at_once)

    @precondition(lambda self: self.rows)
    @rule(number=numbers, which=numbers, at_once=mostly)
    def a_turn_is_claimed(self, number: int, which: int, at_once: bool) -> None:
        """Much may have happened since its row was read."""
        rows = self.rows[-3:]
        if node := self.free(number):
            self.sends(node, claim(rows[which % len(rows)], node.name), at_once)

    @rule(number=numbers)
    def a_node_wakes_or_else_dies(self, number: int) -> None:
        node = self.nodes[number % NODES]
        if node.is_awake:
            self.dies(node)
        node.is_awake = True

    def teardown(self) -> None:
        """All but one node die, and it runs on: every turn ends."""
        if not self.log.facts:
            return
        survivor = self.nodes.pop()
        survivor.is_awake = True
        self.gone += self.nodes
        for round in range(40 * (len(self.log.auditor.queued) + MAX_FRUITLESS) * MAX_STEPS):
            if round == 1:
                for node in self.gone:
                    node.deliver()
            turn = self.log.state.running
            if turn is None and not self.log.state.queue:
                break
            if survivor.flight is not None:
                survivor.settle()
            elif turn is not None and turn.resting:
                given = answer(turn, round, survivor.name)
                assert given is not None
                survivor.ask(given)
            elif turn is not None and turn.node != survivor.name:
                survivor.ask(claim(turn, survivor.name))
            else:
                survivor.look()
                survivor.work(0, "")
        assert self.log.auditor.ended == self.log.auditor.queued

    # --------------------------------------------------------------- helpers

    def a_node_joins(self) -> Node:
        node = Node(f"node-{next(self.names)}", self.log, lambda: next(self.time))
        self.nodes.append(node)
        return node

    def dies(self, node: Node) -> None:
        """What it had sent may still arrive. Another takes its place."""
        node.is_alive = False
        self.nodes.remove(node)
        self.gone.append(node)
        self.a_node_joins()

    @property
    def owner(self) -> Node | None:
        """The node of the turn that runs, if it lives."""
        turn = self.log.state.running
        return next((node for node in self.nodes if turn and node.name == turn.node), None)

    def free(self, number: int) -> Node | None:
        """One of those that are awake, if there is one with nothing under way."""
        awake = [node for node in self.nodes if node.is_awake]
        if not awake:
            return None
        free = [node for node in awake if node.flight is None] or awake
        node = free[number % len(free)]
        self.settles(node)
        return node

    def sends(self, node: Node, command: Command, at_once: bool = True) -> None:
        """What comes of the command arrives at once, or is left on its way."""
        node.ask(command)
        if at_once:
            self.settles(node)

    def settles(self, node: Node) -> None:
        while node.flight is not None:
            node.settle()


TestOwnership = Ownership.TestCase
TestOwnership.settings = settings(max_examples=250, stateful_step_count=30, deadline=None)
