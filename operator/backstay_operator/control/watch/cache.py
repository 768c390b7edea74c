"""The one picture of everything, kept up to date piece by piece from whatever is watched, written or listed.

Why it is more than a dict: events come late, twice, out of order, after the deletion of what they speak of, or never. Each
object only goes forward here (by resourceVersion, which is one counter for the whole cluster); a deleted UID never
comes back; what our own writes return is put in at once, so that a plan never sees the world before its own last act.
One object that cannot be read stops nothing: it is shown, and its last readable version stays. That is safe for every
kind, because each write names the version it was decided from, and the API server refuses the older one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from backstay_api.objects.durations import to_the_second
from backstay_api.objects.kinds import Kind, ObjectVersion
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import HAService, Host, HostAssignment
from backstay_api.objects.object_kinds import ALL_KINDS, HA_SERVICES, HOST_LEASES, HOSTS, AnyObject, Unreadable
from backstay_api.objects.promise import Silence, judge_silence
from backstay_operator.control.watch.urgency import Soon, lease_soon, object_soon
from backstay_operator.planner.know.contents import ConfigMapSeen, sources
from backstay_operator.planner.know.reading import put, take_out
from backstay_operator.planner.know.world import LeaseSeen, OwnPath, Settings, World

# Late events of the dead arrive within seconds; ten thousand deletions are more than happen in that time.
_REMEMBERED_DELETED: Final = 10_000


@dataclass(frozen=True)
class Repair:
    """What a list found wrong with the picture."""

    stale: int
    """Objects that were kept although they are gone: their DELETED never came."""
    news: int
    """Objects that the list knew newer: an event was lost, or is still under way."""


class Cache:
    """Keeps the World. `clock` is the loop's; `wall` gives RFC 3339 for people. Not for use from another thread."""

    def __init__(
        self, *, clock: Callable[[], float], wall: Callable[[], str], settings: Settings | None = None
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._known: defaultdict[str, dict[str, ObjectVersion]] = defaultdict(dict)
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self.on_change: Callable[[Soon], None] = lambda soon: None
        """Called after each change, with how soon the planner must look."""
        self.on_named: Callable[[], None] = lambda: None
        """Called when a service names a ConfigMap that has not been read."""
        self.world = World(settings=settings or Settings(), own_path=OwnPath(healthy=False))
        self.listed: set[str] = set()
        """Kinds that have been listed as a whole at least once."""
        self.touched: set[tuple[str, str]] = set()
        """Kind and key of what has changed since the last snapshot."""
        self.changes = 0
        """Counts changes of anything but Leases."""
        self._newest = 0
        """The newest version seen of any of our own objects."""
        self._newest_lease = 0
        """The same of Leases, whose store may be another's."""
        self.counts: Counter[str] = Counter()
        """`older`, `late` (event of a deleted object), `stale_dropped` (by a list), `repaired` (by a list)."""

    # --- what is asked ------------------------------------------------------------------------------------------

    @property
    def missing(self) -> list[str]:
        """Kinds that have never been listed: until then absence means nothing and nobody may plan."""
        return [kind.kind for kind in ALL_KINDS if kind.kind not in self.listed]

    def version(self, kind: Kind[Any], key: str) -> str:
        """The newest version we have seen of an object; empty if there is none."""
        known = self._known[kind.kind].get(key)
        return known.resource_version if known else ""

    def meta(self, kind: Kind[Any], key: str) -> ObjectVersion | None:
        """Identity of the newest version we have seen."""
        return self._known[kind.kind].get(key)

    def snapshot(self) -> World:
        """The world as of now, for one plan. It is the picture itself: a plan changes nothing that is known, and ends before the next await."""
        self._tick()
        self.world.instant = self._wall()
        self.world.wall = to_the_second(self.world.instant)
        self.world.forget_old_fences()
        self.world.forget_old_seals()
        self.touched = set()
        return self.world

    def newest(self, kind: Kind[Any]) -> int:
        """The newest version seen of what is stored with objects of this kind: an answer as of before is from the past."""
        return self._newest_lease if kind is HOST_LEASES else self._newest

    # --- what is watched ------------------------------------------------------------------------------------------

    def observe(self, kind: Kind[Any], body: Mapping[str, Any], *, deleted: bool = False) -> Soon:
        """One event as it came, not yet read: most are echoes of our own writes and are dropped unread."""
        meta = ObjectVersion.of(body)
        if kind is HOST_LEASES:
            self._newest_lease = max(self._newest_lease, meta.version)
        else:
            self._newest = max(self._newest, meta.version)
        if deleted:
            return self.drop(kind, meta)
        return self.put(kind, kind.read(body), meta) if self._is_news(kind, meta) else Soon.NOT

    def put(self, kind: Kind[Any], obj: Any, meta: ObjectVersion) -> Soon:
        """Take a version of an object, if it is newer than what is known and the object is not known to be gone."""
        if not self._is_news(kind, meta):
            return Soon.NOT
        self._tick()
        key = kind.key(meta.namespace, meta.name)
        known = self._known[kind.kind].get(key)
        if known and known.uid != meta.uid:
            self._remember_deleted(known.uid)
            self._take_out(kind, key)
        self._known[kind.kind][key] = meta
        self.world.missed.pop((kind.kind, key), None)
        if isinstance(obj, Unreadable):
            self.world.unreadable[kind.kind, key] = obj
            return self._notify(kind, key, Soon.GATHER)
        self.world.unreadable.pop((kind.kind, key), None)
        return self._notify(kind, key, self._store(obj))

    def drop(self, kind: Kind[Any], meta: ObjectVersion) -> Soon:
        """Take note that exactly this object (by UID) is gone."""
        self._remember_deleted(meta.uid)
        key = kind.key(meta.namespace, meta.name)
        known, missed = self._known[kind.kind].get(key), self.world.missed.get((kind.kind, key))
        if known is not None and known.uid == meta.uid:
            self._take_out(kind, key)
        elif missed is not None and missed.uid == meta.uid:
            del self.world.missed[kind.kind, key]
        else:
            return Soon.NOT
        self._tick()
        return self._notify(kind, key, Soon.NOW)

    def forget(self, kind: Kind[Any], meta: ObjectVersion) -> None:
        """One read did not find this object. It may have been a stale read: unlike `drop`, this lets it come back, and says so till then."""
        key = kind.key(meta.namespace, meta.name)
        if self._known[kind.kind].get(key) == meta:
            self._tick()
            self._take_out(kind, key)
            if kind in (HA_SERVICES, HOSTS):  # of other kinds nobody concludes anything from absence in the cache
                self.world.missed[kind.kind, key] = meta
            self._notify(kind, key, Soon.NOW)

    def repair(self, kind: Kind[Any], bodies: Iterable[Mapping[str, Any]], version: int) -> Repair:
        """Hold the picture of one kind against a whole list of it as of `version`: take what is newer, drop what is gone."""
        alive: set[str] = set()
        news = 0
        for body in bodies:
            meta = ObjectVersion.of(body)
            alive.add(meta.uid)
            if self._is_news(kind, meta):
                news += 1
                self.put(kind, kind.read(body), meta)
        # What is newer than the list may have been created after it.
        known = self._known[kind.kind].values()
        stale = [each for each in known if each.uid not in alive and each.version <= version]
        missed = [
            meta for (name, _), meta in self.world.missed.items() if name == kind.kind and meta.version <= version
        ]
        for gone in (*stale, *missed):
            self.drop(kind, gone)
        if kind.kind in self.listed:
            self.counts["stale_dropped"] += len(stale)
            self.counts["repaired"] += news
        self.note_listed(kind)
        return Repair(len(stale), news)

    # --- ConfigMaps that services name, which are read and not watched -----------------------------------------------

    def put_content(self, key: str, seen: ConfigMapSeen) -> None:
        """What was just read, if a service still names it. What is as before stays the very object."""
        if key not in self.world.named_by or self.world.contents.get(key) == seen:
            return
        self._tick()
        self.world.contents[key] = seen
        self.changes += 1
        self.on_change(Soon.GATHER)

    def forget_content(self, key: str) -> None:
        """No service names it any more."""
        self.world.contents.pop(key, None)

    # --- our own path to the API server (PROTOCOL 4) --------------------------------------------------------------

    def path_lost(self, *, last_ok_s: float) -> None:
        """From now on silence says nothing. Remember who lived when we last knew."""
        if not self.world.own_path.healthy:
            return
        self._tick()
        lived = frozenset(
            host for host, seen in self.world.leases.items() if _lived(seen, at_s=min(last_ok_s, self.world.now_s))
        )
        self.world.own_path = replace(self.world.own_path, healthy=False, lived_before=lived, renewed_since=frozenset())
        self.on_change(Soon.GATHER)

    def path_recovered(self) -> None:
        """Silence counts again, from now: nobody could be seen before."""
        self._tick()
        now_s = self.world.now_s
        for host, seen in self.world.leases.items():
            self.world.leases[host] = replace(seen, first_seen_s=now_s)
        self.world.own_path = replace(self.world.own_path, healthy=True, recovered_s=now_s, renewed_since=frozenset())
        self.on_change(Soon.NOW)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.world.now_s = self._clock()

    def _is_news(self, kind: Kind[Any], meta: ObjectVersion) -> bool:
        if meta.uid in self._deleted:
            self.counts["late"] += 1
            return False
        known = self._known[kind.kind].get(kind.key(meta.namespace, meta.name))
        if known and meta.version <= known.version:
            self.counts["older"] += 1
            return False
        return True

    def _remember_deleted(self, uid: str) -> None:
        self._deleted[uid] = None
        while len(self._deleted) > _REMEMBERED_DELETED:
            self._deleted.popitem(last=False)

    def note_listed(self, kind: Kind[Any]) -> None:
        """All objects of this kind that were there at one moment have been put in."""
        if kind.kind in self.listed:
            return
        self.listed.add(kind.kind)
        if kind is HOST_LEASES:
            # A replica that has just started is one whose path has just come back: it has seen nobody yet.
            lived = frozenset(
                host for host, seen in self.world.leases.items() if seen.lease.holder and not seen.lease.sealed
            )
            self.world.own_path = replace(self.world.own_path, lived_before=lived)
            if self.world.own_path.healthy:
                self.path_recovered()
        self.on_change(Soon.NOW)

    def _notify(self, kind: Kind[Any], key: str, soon: Soon) -> Soon:
        self.touched.add((kind.kind, key))
        self.changes += kind is not HOST_LEASES
        if soon is not Soon.NOT:
            self.on_change(soon)
        return soon

    def _store(self, obj: AnyObject) -> Soon:
        if isinstance(obj, HostLease):
            return self._store_lease(obj)
        known = _with_known_spec(self.world, obj) if isinstance(obj, HAService | Host) else obj
        known = with_known_entries(self.world, known) if isinstance(known, HostAssignment) else known
        soon = object_soon(known, self.world)
        put(self.world, known)
        if isinstance(known, HAService) and any(one not in self.world.contents for one in sources(known)):
            self.on_named()
        return soon

    def _store_lease(self, lease: HostLease) -> Soon:
        world, before = self.world, self.world.leases.get(lease.host)
        seen = seen_now(before, lease, now_s=world.now_s)
        put(world, seen)
        if lease.sealed:
            world.last_sealed[lease.host] = lease
        elif lease.holder:
            world.last_sealed.pop(lease.host, None)
            world.gone_sealed_s.pop(lease.host, None)
        soon = lease_soon(before, seen, world)
        path = world.own_path
        if before is not None and _count(lease) != _count(before.lease) and lease.host in path.lived_before:
            world.own_path = replace(path, renewed_since=path.renewed_since | {lease.host})
        return soon

    def _take_out(self, kind: Kind[Any], key: str) -> None:
        world = self.world
        del self._known[kind.kind][key]
        world.unreadable.pop((kind.kind, key), None)
        take_out(world, kind, key)


def with_known_entries(world: World, after: HostAssignment) -> HostAssignment:
    """With the very entries as before where they say the same: the planner keeps what it has decided about their services."""
    before = world.assignments.get(after.key)
    if before is None or len(world.services) < world.settings.keeps_plans_from:
        return after
    spec = {"instances": _known(before.spec.instances, after.spec.instances)}
    spec |= {"standbys": _known(before.spec.standbys, after.spec.standbys)}
    spec |= {"roles": _known(before.spec.roles, after.spec.roles)}
    spec |= {"prerequisites": _known(before.spec.prerequisites, after.spec.prerequisites)}
    status = {"instances": _known(before.status.instances, after.status.instances)}
    status |= {"standbys": _known(before.status.standbys, after.status.standbys)}
    status |= {"roles": _known(before.status.roles, after.status.roles)}
    status |= {"prerequisites": _known(before.status.prerequisites, after.status.prerequisites)}
    parts = {"spec": after.spec.model_copy(update=spec), "status": after.status.model_copy(update=status)}
    return after.model_copy(update=parts)


def _known(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {uid: known if (known := before.get(uid)) == one else one for uid, one in after.items()}


def _with_known_spec(world: World, after: HAService | Host) -> HAService | Host:
    """With the very spec as before where the API server counts no other generation: the planner keeps what it has worked out from it."""
    before = world.services.get(after.key) if isinstance(after, HAService) else world.hosts.get(after.key)
    if before is None or before.uid != after.uid or before.metadata.generation != after.metadata.generation:
        return after
    return after.model_copy(update={"spec": before.spec}) if after.metadata.generation else after


def seen_now(before: LeaseSeen | None, lease: HostLease, *, now_s: float) -> LeaseSeen:
    """A lease as it is now seen: `o` moves only when the renewal count (or the holder) does, never by another write."""
    if before is None:
        return LeaseSeen(lease, first_seen_s=now_s, sealed_seen_s=now_s if lease.sealed else None)
    old = before.lease
    is_same_holder = (old.uid, old.holder, old.seq) == (lease.uid, lease.holder, lease.seq)
    first_seen_s = before.first_seen_s if _count(old) == _count(lease) else now_s
    was_sealed_s = before.sealed_seen_s if is_same_holder and old.sealed else None
    sealed_seen_s = (now_s if was_sealed_s is None else was_sealed_s) if lease.sealed else None
    moved_s = (before.moved_s if old.renewal == lease.renewal else now_s) if is_same_holder else None
    return LeaseSeen(lease, first_seen_s=first_seen_s, sealed_seen_s=sealed_seen_s, moved_s=moved_s)


def _count(lease: HostLease) -> tuple[str, str, int, int]:
    """Whose renewal it is, and its count."""
    return (lease.uid, lease.holder, lease.seq, lease.renewal)


def _lived(seen: LeaseSeen, *, at_s: float) -> bool:
    lease = seen.lease
    if not lease.holder or lease.sealed:
        return False
    return judge_silence(age_s=at_s - seen.first_seen_s, contract=lease.contract) is not Silence.SILENT
