"""Mutants of files that are brought to hosts: checked everywhere, tried where the service runs, taken back, kept from what is not theirs."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, API, CONTROL, DRIVERS, PLANNER, UNIT, Mutant, one

_ROLLOUT: Final = f"{UNIT}/planner/judge/test_editions.py"
_DECIDED: Final = f"{UNIT}/agent/core/test_editions.py"
_BROUGHT: Final = f"{UNIT}/agent/test_editions.py"
_TROUBLE: Final = f"{UNIT}/agent/test_editions_trouble.py"
_PUT: Final = f"{UNIT}/agent/drivers/tools/test_installing.py"
_FAULTS: Final = f"{UNIT}/api/objects/test_editions.py"
_CONTENTS: Final = f"{UNIT}/planner/judge/test_contents.py"
_READ: Final = f"{UNIT}/control/watch/test_contents.py"
_STORIES: Final = "tests/stories/test_text.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "an edit is in place nowhere before all have it and call it right",
        f"{PLANNER}/judge/editions.py",
        "        if not self.is_staged:\n            return self.proven\n",
        "",
        _ROLLOUT,
    ),
    one(
        "those that stand by have it before the host that runs the service",
        f"{PLANNER}/judge/editions.py",
        "{*self.waiting[1:], self.holder} if self.waiting",
        "{*self.waiting[1:]} if self.waiting",
        _ROLLOUT,
    ),
    one(
        "those that stand by have it one after the other",
        f"{PLANNER}/judge/editions.py",
        "{*self.waiting[1:], self.holder} if self.waiting",
        "{self.holder} if self.waiting",
        _ROLLOUT,
    ),
    one(
        "what one host has refused is in place nowhere",
        f"{PLANNER}/judge/editions.py",
        "not self.holder or self.refusal is not None:",
        "not self.holder:",
        _ROLLOUT,
    ),
    one(
        "what was on trial where a host was lost may have been the cause",
        f"{PLANNER}/judge/editions.py",
        "facts.get(TRIAL) == self.target and host != self.holder",
        "False",
        _ROLLOUT,
    ),
    one(
        "a trial goes on while an edit of the manifest has hosts say anew what they have",
        f"{PLANNER}/judge/editions.py",
        "        if self.is_on_trial:\n            return self.target\n",
        "",
        _ROLLOUT,
    ),
    one(
        "what an agent does not know how to try it does not begin with",
        f"{PLANNER}/judge/editions.py",
        'if self.tries in ("", self.said.get(self.holder, {}).get(TRIES)):',
        "if True:",
        _ROLLOUT,
    ),
    one(
        "while it is paused the host that runs the service waits",
        f"{PLANNER}/judge/editions.py",
        "(self.is_paused or bool(self.unable))",
        "bool(self.unable)",
        _ROLLOUT,
    ),
    one(
        "what is on trial already is not paused",
        f"{PLANNER}/judge/editions.py",
        "self.refusal is None and not self.is_on_trial",
        "self.refusal is None",
        _ROLLOUT,
    ),
    one(
        "what stood ready where it comes to run is not what it has run well with",
        f"{PLANNER}/judge/editions.py",
        "has_said = last is None or last.host == holder",
        "has_said = True",
        _STORIES,
    ),
    one(
        "that something waits for a person is told",
        f"{PLANNER}/tell/status.py",
        "if not is_moving and (why := edition_paused(view.world, view.slot)):",
        "if not is_moving and (why := ''):",
        _STORIES,
    ),
    one(
        "an edit is on trial for as long as the manifest says",
        f"{AGENT}/core/editions.py",
        "(SOAK_S if view.soak_s is None else view.soak_s)",
        "SOAK_S",
        _DECIDED,
    ),
    one(
        "what is Unmanaged is written to on no host that stands by",
        f"{PLANNER}/do/prerequisites.py",
        "KEEP if is_unmanaged and host != rollout.holder else rollout.use(host)",
        "rollout.use(host)",
        _STORIES,
    ),
    one(
        "what the service is not well with is taken back",
        f"{AGENT}/core/editions.py",
        "view.restarts > trying.restarts or not view.is_well",
        "view.restarts > trying.restarts",
        _DECIDED,
    ),
    one(
        "what was restarted with it was not well with it",
        f"{AGENT}/core/editions.py",
        "view.restarts > trying.restarts or not view.is_well",
        "not view.is_well",
        _DECIDED,
    ),
    one(
        "an edit is on trial for long enough",
        f"{AGENT}/core/editions.py",
        "view.now_s - trying.since_s >= (SOAK_S if view.soak_s is None else view.soak_s)",
        "view.now_s - trying.since_s >= 0.0",
        _DECIDED,
    ),
    one(
        "what is on trial is not what others are compared by",
        f"{AGENT}/core/editions.py",
        "edition = record.good if view.runs and record.good else here",
        "edition = here",
        _DECIDED,
    ),
    one(
        "a trial is remembered before its file is put in place",
        f"{AGENT}/core/editions.py",
        "    return Note(replace(record, trial=view.use)) if is_next",
        "    return Put(view.use) if is_next",
        _DECIDED,
    ),
    one(
        "what is remembered is on the disk",
        f"{AGENT}/standby/editions.py",
        "        await self._disk.write(_name(key), json.dumps(record.to_json()))\n",
        "",
        _BROUGHT,
    ),
    one(
        "what the policy of a host refuses is not brought there",
        f"{AGENT}/standby/editions.py",
        "            kept.trouble = why\n            return\n",
        "            kept.trouble = why\n",
        _BROUGHT,
    ),
    one(
        "nor is it by a start",
        f"{AGENT}/standby/editions.py",
        "        if why := self._refused(key, kept):\n            return why\n        async with",
        "        async with",
        _TROUBLE,
    ),
    one(
        "hands off nothing is written",
        f"{AGENT}/standby/editions.py",
        "act is None or (view.record.editions and self._running.hands_off(key[0]))",
        "act is None",
        _TROUBLE,
    ),
    one(
        "what cannot be put where nothing runs is not called wrong",
        f"{AGENT}/standby/editions.py",
        "            if edition != view.record.trial:\n                raise\n",
        "",
        _TROUBLE,
    ),
    one(
        "a host without its first edition is not ready",
        f"{AGENT}/core/editions.py",
        " or view.record.editions[here].content is None",
        "",
        _TROUBLE,
    ),
    one(
        "a host whose edition nobody has called right yet is not ready",
        f"{AGENT}/core/editions.py",
        "view.use not in view.record.checked or view.record",
        "view.record",
        _DECIDED,
    ),
    one(
        "no link is followed on the way to a file",
        f"{DRIVERS}/tools/installing.py",
        "os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC",
        "os.O_DIRECTORY | os.O_CLOEXEC",
        _PUT,
    ),
    one(
        "nothing is put into a folder into which everybody may write",
        f"{DRIVERS}/tools/installing.py",
        "st_mode & stat.S_IWOTH",
        "st_mode & 0",
        _PUT,
    ),
    one(
        "other content does not run as somebody else because what was there did",
        f"{DRIVERS}/tools/installing.py",
        "int(there.mode, 8) & 0o777 if there.mode",
        "int(there.mode, 8) if there.mode",
        _PUT,
    ),
    one(
        "a file that is brought never runs as somebody else",
        f"{API}/objects/editions.py",
        "int(file.mode, 8) & 0o6000",
        "False",
        _FAULTS,
    ),
    one(
        "a file that is brought is none of Backstay's own",
        f"{API}/objects/prerequisites.py",
        "if editions.is_brought(file) and (why := backstays_own(file.path)):",
        "if editions.is_brought(file) and (why := False):",
        _FAULTS,
    ),
    one(
        "what a ConfigMap says no more takes nothing from hosts",
        f"{PLANNER}/judge/contents.py",
        "    if text is None and instance is not None:",
        "    if False and instance is not None:",
        _CONTENTS,
    ),
    one(
        "a service whose content nobody ever had is refused",
        f"{PLANNER}/judge/acceptance.py",
        "return Refused(contents.CONTENT_MISSING, why) if why else None",
        "return None",
        _CONTENTS,
    ),
    one(
        "a host that has said nothing of a content as it is now is not started with what it had before",
        f"{PLANNER}/judge/prerequisites.py",
        'return "" if edition_id(told.file) in has else',
        'return "" if has else',
        _CONTENTS,
    ),
    one(
        "all contents of a service together have an end, those of ConfigMaps too",
        f"{PLANNER}/judge/contents.py",
        "    if much > MOST_CONTENT_BYTES:",
        "    if much < 0:",
        _CONTENTS,
    ),
    one(
        "a ConfigMap that was read again and says the same wakes nobody",
        f"{CONTROL}/watch/cache.py",
        "if key not in self.world.named_by or self.world.contents.get(key) == seen:",
        "if key not in self.world.named_by:",
        _READ,
    ),
    one(
        "a ConfigMap is read again and again",
        f"{CONTROL}/watch/contents.py",
        "return self._read_s.get(key, -math.inf) + EACH_S",
        "return math.inf if key in self._read_s else -math.inf",
        _READ,
    ),
    one(
        "hosts are compared by what a manifest says, and not by what it comes to on each",
        f"{API}/objects/editions.py",
        "return Edition(content, file.owner, file.group, file.mode, edition_id(file))",
        "return Edition(content, file.owner, file.group, file.mode)",
        _FAULTS,
    ),
    one(
        "a content with values that no host has is refused",
        f"{API}/objects/editions.py",
        "    if unknown:",
        "    if False:",
        _FAULTS,
    ),
    one(
        "an edition that comes to what is in place already is tried all the same",
        f"{AGENT}/core/editions.py",
        "if is_next and view.is_well and _is_good_there(view) else None",
        "if is_next and view.is_well and here == record.good else None",
        _DECIDED,
    ),
)
