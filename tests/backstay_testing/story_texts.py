"""Stories as text: steps as people say them, and below each step what came of it, which can be recorded anew.

A line that begins with a word is a step, one that is indented is what was recorded. `# …` is for the reader. What is recorded is what
has changed by a step: what the operator did and why, what runs where, what services and hosts say, whose power is off.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import yaml

from backstay_api.objects.kinds import CONFIG_MAPS, Raw
from backstay_api.objects.names import promoted_name
from backstay_api.objects.object_kinds import HA_SERVICES, SERVICE_CLASSES
from backstay_api.objects.resource_kinds import is_prerequisite
from backstay_dev.simulator.shapes import NAMESPACE
from backstay_operator.planner.judge.prerequisites import acceptable, prerequisites_of
from backstay_operator.planner.know.accepted_drift import ACCEPT_ANNOTATION, AcceptedDrift

from .recorded import HEAD
from .stage import Stage

_NOTHING_NEW: Final = "other standbys, other units to secure, or another heartbeat"
"""Orders that only ask hosts to be ready: how many writes it takes to ask all of them is no part of a story."""


def told_again(text: str) -> str:
    """Live through the steps of a story, and record what comes of each."""
    lines: list[str] = []
    stage: Stage | None = None
    seen: dict[str, str] = {}
    for line in (one for one in text.splitlines() if not one.startswith(" ")):
        lines.append(line)
        if not line or line.startswith(("#", HEAD)):
            continue
        is_first, stage = stage is None, _step(stage, line)
        now = dict(_says(stage))
        news = [] if is_first else [*stage.log, *_news(seen, now)]
        lines += [f"  {one}" for one in news if not one.endswith(_NOTHING_NEW)]
        stage.log.clear()
        seen = now
    return "\n".join([*lines, ""])


def _news(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{what} is gone" for what in before if what not in now)
    yield from (line for what, line in now.items() if before.get(what) != line)


# --- steps -----------------------------------------------------------------------------------------------------------


def _begin(line: str) -> Stage:
    found = re.fullmatch(r"hosts ((?:n\d ?)+)(without devices)?", line)
    assert found, f"a story begins with its hosts, not with {line!r}"
    return Stage(*found[1].split(), devices=not found[2])


def _step(stage: Stage | None, line: str) -> Stage:
    if stage is None:
        return _begin(line)
    for pattern, act in STEPS.items():
        if found := re.fullmatch(pattern, line):
            act(stage, *found.groups())
            return stage
    raise AssertionError(f"no step is written {line!r}; there are:\n" + "\n".join(STEPS))


def _apply(stage: Stage, name: str, spec: str | None) -> None:
    stage.apply_service(name, **(yaml.safe_load(spec) if spec else {}))


def _run(stage: Stage, name: str, host: str, spec: str | None) -> None:
    """It has come to run there: how is another story."""
    with stage.only(host):
        _apply(stage, name, spec)
        stage.settle()
    stage.log.clear()


def _move(stage: Stage, name: str, to: str, for_s: str | None) -> None:
    stage.ask_to_move(to, name, for_s=float(for_s or 600))


def _move_copy(stage: Stage, name: str, instance: str, to: str) -> None:
    stage.ask_to_move(to, name, instance=instance)


def _reads(stage: Stage, name: str, host: str, text: str) -> None:
    """What a file says there, its lines parted by a bar."""
    lines = tuple(text.split(" | "))
    stage.machines[host].state.texts[name] = lines
    stage.look(host, name, content=hashlib.md5("\n".join(lines).encode()).hexdigest())


def _called_wrong(stage: Stage, content: str, host: str, why: str) -> None:
    """By the program that checks a file with this content there."""
    stage.machines[host].state.wrong[content] = why


def _hard_to_tell(stage: Stage, resource: str, host: str, why: str) -> None:
    stage.machines[host].state.hard_to_tell[resource] = why


def _fatal(stage: Stage, content: str, host: str, why: str) -> None:
    """With a file of this content nothing starts there."""
    stage.machines[host].state.fatal[content] = why


def _look_at_losses(stage: Stage) -> None:
    """As the operator does in quiet moments, here at once; from then on each service's answer is a part of the story."""
    assert stage.operator is not None
    study, stage.tells_losses = stage.operator.losses, True
    stage.do(study.piece)
    while study.is_at_work:
        stage.do(study.piece)
    stage.settle()


def _maintain(stage: Stage, how: str, host: str) -> None:
    stage.maintain(host, {"drain": "Drain", "cordon": "Cordon", "hands off": "HandsOff", "undrain": None}[how])


def _position(stage: Stage, host: str, number: str) -> None:
    """Of the data there, as the command `/position` says it."""
    stage.machines[host].state.scores["/position"] = int(number)


def _allow(stage: Stage, name: str, spec: str) -> None:
    stage.has_classes, said = True, yaml.safe_load(spec)
    if stage.get(SERVICE_CLASSES, name) is None:
        stage.create(SERVICE_CLASSES, {"metadata": {"name": name}, "spec": said})
    else:
        stage.edit(SERVICE_CLASSES, name, spec=said)


def _config_map(stage: Stage, name: str, data: str) -> None:
    """As `kubectl apply` leaves it: with these keys, and no others."""
    said = yaml.safe_load(data)
    body: Raw = {"metadata": {"name": name, "namespace": NAMESPACE}, **said}
    if stage.get(CONFIG_MAPS, name) is not None:
        stage.delete(CONFIG_MAPS, name)
    stage.create(CONFIG_MAPS, body)


def _accept(stage: Stage, what: str, name: str, host: str) -> None:
    """As `backstay accept` does."""
    service, instance = stage.world.services[f"{NAMESPACE}/{name}"], stage.world.instances[f"{NAMESPACE}/{name}-0"]
    resource = next(one for one in prerequisites_of(service) if one.name == what)
    words = [
        AcceptedDrift("eve", stage.wall_in(0), f"{name}-0", what, *here, *there, "looked at").line
        for here, there in acceptable(stage.world, service, instance, resource, host)
    ]
    assert words, "there is nothing to accept"
    stage.edit(HA_SERVICES, name, metadata={"annotations": {ACCEPT_ANNOTATION: "\n".join(words)}})
    stage.settle()


def _dies(stage: Stage, name: str, host: str) -> None:
    stage.do(lambda: stage.machines[host].state.kill(f"unit {name}.service"))


def _fails(stage: Stage, name: str, what: str, host: str, why: str = "") -> None:
    setattr(stage.script(host, f"{name}.service"), f"{what}_fails", why)


STEPS: Final[Mapping[str, Callable[..., Any]]] = {
    # Time.
    r"wait (\d+) s": lambda stage, seconds: stage.wait(float(seconds)),
    r"settle": Stage.settle,
    r"the operator looks what each loss would leave over": _look_at_losses,
    # What people write.
    r"(\w+) runs on (n\d)(?: with (.+))?": _run,
    r"apply (\w+)(?: with (.+))?": _apply,
    r"delete (\w+)": Stage.delete_service,
    r"move (\w+) to (n\d)(?: within (\d+) s)?": _move,
    r"move (\w+), copy (\S+), to (n\d)": _move_copy,
    r"(drain|cordon|hands off|undrain) (n\d)": _maintain,
    r"confirm that (n\d) is off": Stage.confirm,
    r"label (n\d) with (\S+)=(\S+)": lambda stage, host, key, value: stage.label(host, **{key: value}),
    r"taint (n\d) with (.+)": lambda stage, host, taints: stage.taint(host, *taints.split(", ")),
    r"untaint (n\d)": Stage.taint,
    r"(n\d) offers (\w+)=(\w+)": lambda stage, host, name, much: stage.offer(host, **{name: much}),
    r"class (\w+) allows (.+)": _allow,
    r"ConfigMap (\S+) has (.+)": _config_map,
    r"delete ConfigMap (\S+)": lambda stage, name: stage.delete(CONFIG_MAPS, name),
    r"delete class (\w+)": lambda stage, name: stage.delete(SERVICE_CLASSES, name),
    r"remove host (n\d)": Stage.remove_host,
    r"add host (n\d)": Stage.add_host,
    r"the data on (n\d) is at (\d+)": _position,
    r"the main process of (\w+) on (n\d) is killed": _dies,
    # What befalls hosts, and what runs there.
    r"(n\d) loses power": Stage.power_off,
    r"(n\d) boots": Stage.boot,
    r"(n\d) goes down for a reboot": Stage.shut_down,
    r"(n\d) hangs": Stage.freeze,
    r"(n\d) is cut off": Stage.cut_off,
    r"(n\d) is cut off for so long that its power is read": Stage.false_alarm,
    r"our own way to the API server is cut off": lambda stage: stage.cut_off(""),
    r"our own way to the API server is whole again": lambda stage: stage.reconnect(""),
    r"(n\d) is reached again": Stage.reconnect,
    r"the bmc of (n\d) is (dead|stuck)": Stage.break_bmc,
    r"the bmc of (n\d) answers": Stage.mend_bmc,
    r"(\w+) does not (start|stop) on (n\d): (.+)": _fails,
    r"(\w+) (start|stop)s again on (n\d)": _fails,
    r"(\w+) is not ready on (n\d): (.+)": lambda stage, name, host, why: stage.unready(host, why, f"{name}.service"),
    r"(\w+) on (n\d) is missing: (.+)": lambda stage, name, host, why: stage.look(host, name, why),
    r"(\w+) on (n\d) reads: (.+)": _reads,
    r"(\w+) on (n\d) is edited: (\w+) (\w+)": lambda stage, name, host, fact, value: stage.look(
        host, name, **{fact: value}
    ),
    r"(\w+) on (n\d) is edited at this moment: (\w+) (\w+)": lambda stage, name, host, fact, value: stage.alter(
        host, name, **{fact: value}
    ),
    r"(\w+) is called wrong on (n\d): (.+)": _called_wrong,
    r"(\w+) cannot be reloaded on (n\d): (.+)": _hard_to_tell,
    r"nothing starts with (\w+) on (n\d): (.+)": _fatal,
    r"accept (\w+) of (\w+) on (n\d)": lambda stage, what, name, host: _accept(stage, what, name, host),
    r"(\w+) on (n\d) is as everywhere": lambda stage, name, host: stage.look(host, name),
    r"somebody starts (\w+) on (n\d)": lambda stage, name, host: stage.start_by_hand(host, f"{name}.service"),
    r"somebody stops it on (n\d)": Stage.stop_by_hand,
}

# --- what is so ------------------------------------------------------------------------------------------------------


def _says(stage: Stage) -> Iterator[tuple[str, str]]:
    """By what it is about: a line of what is so now."""
    for name, machine in stage.machines.items():
        is_off = "off, by its device" if machine.off_by_device else "off"
        yield f"power of {name}", f"{name} is {'on' if machine.is_on else is_off}"
        files = machine.state.files.items()
        yield from ((f"{path} on {name}", f"{path} on {name} says {edition.content}") for path, edition in files)
    for service in stage.world.services.values():
        name = service.metadata.name
        yield f"{name} on hosts", f"{name} runs on {' and '.join(stage.copies(name)) or 'no host'}"
        whys = [one.why for one in service.status.instances] or [stage.told(name, "Ready")[2]]
        yield name, f"{name} is {service.status.state}: {'; '.join(whys)}"
        if any(is_prerequisite(one) for one in service.spec.resources):
            for condition in ("StandbyReady", "Degraded"):
                _, reason, why = stage.told(name, condition)
                yield f"{condition} of {name}", f"{name} {condition} {reason}: {why}"
            yield from _editions_waiting(stage, name)
        for one in service.status.accepted_differences:
            counts = f"does not count: {one.ended}" if one.ended else "counts"
            yield (
                f"{one.resource} of {name} on {one.host}",
                f"what {one.by} accepted of {one.resource} on {one.host} {counts}",
            )
        if stage.has_classes:
            yield f"classes about {name}", f"{name} is {_judged(stage, name)}"
        for condition in ("SurvivesHostLoss", "SurvivesDomainLoss") if stage.tells_losses else ():
            if any(one.type == condition for one in service.status.conditions):
                is_true, reason, why = stage.told(name, condition)
                yield f"{condition} of {name}", f"{name} {condition} {is_true} {reason}: {why}"
        if service.spec.mode == "Promotable":
            above = " and ".join(stage.copies(promoted_name(name))) or "no host"
            yield (
                f"what is promoted of {name}",
                f"{name} is promoted on {above}, and its status says {service.status.promoted or 'nowhere'}",
            )
        if service.spec.mode != "Single":
            yield f"copies of {name}", f"{name} has {service.status.copies}: {stage.told(name, 'Ready')[2]}"
            yield f"acceptance of {name}", f"{name} is {_judged(stage, name)}"
    for host in stage.world.hosts.values():
        found = next(one for one in host.status.conditions if one.type == "Ready")
        yield host.metadata.name, f"{host.metadata.name} is {found.reason}: {found.message}"


def _editions_waiting(stage: Stage, name: str) -> Iterator[tuple[str, str]]:
    _, reason, why = stage.told(name, "Progressing")
    if reason.startswith("Edition"):
        yield f"what {name} waits for", f"{name} Progressing {reason}: {why}"


def _judged(stage: Stage, name: str) -> str:
    accepted, _, why = stage.told(name, "Accepted")
    return f"{'accepted' if accepted == 'True' else 'refused'}: {why}"
