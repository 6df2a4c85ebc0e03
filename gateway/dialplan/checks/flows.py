"""How steps lead to each other: what is never reached, loops without a wait, paths nobody hears."""

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.config.problems import Problem, show
from gateway.dialplan.block import Block, PlacedStep, all_steps
from gateway.dialplan.dialplan import Dialplan
from gateway.dialplan.parts import Parts
from gateway.dialplan.steps.goto import GotoStep

SPLIT: Final = "split"
"""Variable that a route's split sets."""


def check_flows(plan: Dialplan, parts: Parts) -> list[Problem]:
    """Everything that is wrong with the way steps lead to each other."""
    dead = [problem for block in parts.blocks for problem in _dead_steps(block)]
    if parts.doubts.steps:
        return dead
    return [
        *_unreachable_flows(plan, parts),
        *dead,
        *_fast_loops(plan.flows),
        *_silent_routes(plan, parts),
        *_missing_splits(plan, parts),
    ]


def _targets(block: Block) -> Iterator[str]:
    for placed in all_steps(block):
        if isinstance(placed.step, GotoStep):
            yield placed.step.flow


def _reached_from(block: Block, flows: Mapping[str, Block]) -> set[str]:
    """Flows that can follow a block."""
    found: set[str] = set()
    waiting = [*_targets(block)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _targets(flows.get(name, ()))
    return found


def _unreachable_flows(plan: Dialplan, parts: Parts) -> Iterator[Problem]:
    entrances = [route.block for route in plan.routes] + [plan.settings.on_failure]
    reached = set().union(*(_reached_from(block, plan.flows) for block in entrances))
    for name, named in parts.flows.items():
        if name not in reached:
            yield named.document.problem(
                named.path,
                found=f"the flow {show(name)}, which nothing leads to",
                expected="a route, a flow or on_failure that names it",
                at_key=True,
            )


def _falls_through(block: Block) -> bool:
    """Whether the step after the block may be reached."""
    for placed in block:
        if placed.step.ends and not any(_falls_through(each.block) for each in placed.branches.values()):
            return False
    return True


def _dead_steps(block: Block) -> Iterator[Problem]:
    """Steps behind one that ends the call."""
    for position, placed in enumerate(block):
        for branch in placed.branches.values():
            yield from _dead_steps(branch.block)
        if not _falls_through((placed,)) and position + 1 < len(block):
            after = block[position + 1]
            yield after.document.problem(
                after.path,
                found=f"the step {after.step.word}, which is never reached",
                expected=f"nothing after {placed.step.word}",
            )
            return


def _fast_jumps(block: Block, timed: bool = False) -> Iterator[tuple[str, PlacedStep]]:
    """Jumps that may come before any time has passed."""
    for placed in block:
        if isinstance(placed.step, GotoStep) and not timed:
            yield placed.step.flow, placed
        quick_way = not placed.step.takes_time
        for branch in placed.branches.values():
            yield from _fast_jumps(branch.block, timed or branch.spec.timed)
            quick_way = quick_way or (not branch.spec.timed and _falls_through(branch.block))
        timed = timed or not quick_way
        if not _falls_through((placed,)):
            return


def _fast_loops(flows: Mapping[str, Block]) -> Iterator[Problem]:
    jumps = {name: list(_fast_jumps(block)) for name, block in flows.items()}
    done: set[str] = set()
    for start in flows:
        if start not in done:
            yield from _cycles(start, jumps, done)


def _cycles(
    start: str, jumps: Mapping[str, list[tuple[str, PlacedStep]]], done: set[str]
) -> Iterator[Problem]:
    """Depth-first, without recursion: a plan may have thousands of flows in a row."""
    stack = [(start, iter(jumps[start]))]
    trail = [start]
    while stack:
        name, rest = stack[-1]
        step = next(rest, None)
        if step is None:
            done.add(name)
            trail.pop()
            stack.pop()
            continue
        flow, placed = step
        if flow in trail:
            way = " → ".join([*trail[trail.index(flow) :], flow])
            yield placed.document.problem(
                placed.path,
                found=f"a loop in which no time passes ({way})",
                expected="a step that takes time in it, such as wait, play or gather",
            )
        elif flow not in done:
            trail.append(flow)
            stack.append((flow, iter(jumps.get(flow, ()))))


def _missing_splits(plan: Dialplan, parts: Parts) -> Iterator[Problem]:
    """Routes without `split` whose flows need one; within the route itself it is missing as well."""
    if not any(route.split for route in plan.routes):
        return
    for route, named in zip(plan.routes, parts.routes, strict=True):
        entrances = (route.block, plan.settings.on_failure)
        reached = set().union(*(_reached_from(block, plan.flows) for block in entrances))
        blocks = [*entrances, *(plan.flows.get(name, ()) for name in reached)]
        steps = [placed for block in blocks for placed in all_steps(block)]
        if route.split or any(SPLIT in placed.step.assigns() for placed in steps):
            continue
        needed = next((placed for placed in steps if _needs_split(placed)), None)
        if needed is not None:
            yield named.document.problem(
                named.path,
                found=f"no split, though an agent is ${{{SPLIT}}} ({needed.place})",
                expected="split: {AGENT: WEIGHT}, or steps that do without",
            )


def _needs_split(placed: PlacedStep) -> bool:
    word = f"${{{SPLIT}}}"
    return any(each.kind == "agent" and each.word == word for each in placed.step.references())


def _silent_routes(plan: Dialplan, parts: Parts) -> Iterator[Problem]:
    for route, named in zip(plan.routes, parts.routes, strict=True):
        blocks = [route.block, *(plan.flows.get(name, ()) for name in _reached_from(route.block, plan.flows))]
        if not any(placed.step.audible for block in blocks for placed in all_steps(block)):
            yield named.document.problem(
                (*named.path, "do"),
                found="steps of which the caller hears nothing",
                expected="a step with sound, or reject",
            )
