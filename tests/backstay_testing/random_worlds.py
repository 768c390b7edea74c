"""Any random_world of objects: worlds as hypothesis draws them, most of which no healthy cluster would ever show."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

from backstay_api.objects.kinds import Raw
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, HostAssignment, ResourceClaim
from backstay_api.objects.promise import PROFILES
from backstay_api.objects.resource_kinds import claims_of
from backstay_operator.planner.know.claims import claim_for
from backstay_operator.planner.know.sessions import request_name
from backstay_operator.planner.know.world import LeaseSeen, OwnPath, World

LAB = PROFILES["lab"]
NOW_S = 10_000.0
HOSTS = ("n1", "n2", "n3")
SERVICES = ("a", "b")
# From plainly live, over the very edge of each state, to long gone.
AGES_S = (0.0, 0.5, 0.75, 0.76, 1.2, 1.5, 1.51, 30.0, 100.0, 5000.0)

T = TypeVar("T")
Draw = st.DrawFn
Wires = dict[str, list[Raw]]
"""By kind: each object as it would stand on the wire."""


def sometimes(one_in: int) -> st.SearchStrategy[bool]:
    return st.integers(1, one_in).map(lambda n: n == one_in)


def session(host: str, seq: int) -> Raw:
    """Sessions 1 and 2 are of one boot, 3 and 4 of the next."""
    return {"bootID": f"boot-{host}-{(seq + 1) // 2}", "nonce": f"{host}-{seq}", "seq": seq}


def mostly(usual: T, other: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """A random_world in which everything is random is refused at the first glance: most of it must fit, for the rest to matter."""
    return st.integers(1, 4).flatmap(lambda n: other if n == 4 else st.just(usual))


seqs = st.integers(1, 4)
USUAL_SEQ = 2
GENERATION = 2


@st.composite
def wires(draw: Draw) -> Wires:
    """A random_world, as it would stand on the wire; `build` makes a World of it in any order."""
    random_world: Wires = {
        kind: [] for kind in ("hosts", "assignments", "leases", "requests", "services", "instances", "claims")
    }
    for name in SERVICES:
        if draw(sometimes(8)):
            continue
        random_world["services"].append(draw(services(name)))
    for name in SERVICES:
        if not draw(sometimes(5)):
            random_world["instances"].append(draw(instances(name)))
    for host in HOSTS:
        random_world["hosts"] += [draw(hosts(host))] if not draw(sometimes(8)) else []
        random_world["assignments"] += [draw(assignments(host))] if not draw(sometimes(8)) else []
        random_world["leases"] += [draw(leases(host))] if not draw(sometimes(8)) else []
        random_world["requests"] += [
            draw(requests(host, seq)) for seq in draw(mostly({USUAL_SEQ}, st.sets(seqs, max_size=2)))
        ]
    random_world["claims"] = [
        {
            "of": s["metadata"]["uid"],
            "stranger": draw(sometimes(12)),
            "epoch": draw(mostly(3, st.integers(0, 3))),
            "hosts": draw(mostly(list(HOSTS), st.lists(st.sampled_from(HOSTS), unique=True, min_size=1))),
        }
        for s in random_world["services"]
    ]
    return random_world


@st.composite
def services(draw: Draw, name: str) -> Raw:
    meta: Raw = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "generation": GENERATION,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": [] if draw(sometimes(10)) else ["backstay.dev/service"],
    }
    if draw(sometimes(8)):
        meta["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    if draw(sometimes(6)):
        meta["annotations"] = {
            "backstay.dev/move": draw(st.sampled_from(['{"host": "n2"}', '{"host": "n9"}', "nonsense"]))
        }
    spec: Raw = {
        "resources": [
            {"name": "main", "systemd": {"unit": f"{name}.service"}},
            {"name": "address", "virtualIP": {"address": f"192.0.2.{SERVICES.index(name) + 1}/24"}},
        ],
        "state": draw(mostly("Running", st.sampled_from(["Running", "Running", "Stopped"]))),
        "mode": draw(mostly("Single", st.sampled_from(["Single", "Single", "Promotable"]))),
        "placement": {"failback": draw(st.sampled_from(["Never", "Always"]))},
        "recovery": {"onStopFailure": draw(st.sampled_from(["Fence", "Fence", "Block"]))},
    }
    return {"metadata": meta, "spec": spec}


@st.composite
def instances(draw: Draw, name: str) -> Raw:
    epoch = draw(st.integers(0, 3))
    owner = f"uid-{name}" if not draw(sometimes(12)) else f"uid-{name}-before"
    exclusive = not draw(sometimes(4))
    spec: Raw = {"service": {"name": name, "uid": owner}, "exclusive": exclusive, "epoch": epoch}
    is_open = epoch > 0 and draw(st.integers(0, 3)) > 0
    if is_open:
        host = draw(st.sampled_from(HOSTS))
        seq = draw(mostly(USUAL_SEQ, seqs))
        spec["grant"] = {"host": host, "session": session(host, seq), "machineUUID": f"machine-{host}"}
    closed = epoch - 1 if is_open else epoch
    if closed > 0:
        spec["closed"] = {"epoch": closed, "evidence": "Released", "why": "it was"}
    meta: Raw = {"name": f"{name}-0", "namespace": "shop", "uid": f"uid-{name}-0", "resourceVersion": "7"}
    meta["finalizers"] = [] if draw(sometimes(10)) else ["backstay.dev/instance"]
    if draw(sometimes(8)):
        meta["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    return {"metadata": meta, "spec": spec}


@st.composite
def hosts(draw: Draw, name: str) -> Raw:
    meta: Raw = {"name": name, "uid": f"uid-{name}"}
    meta["finalizers"] = [] if draw(sometimes(10)) else ["backstay.dev/host"]
    if draw(sometimes(8)):
        meta["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    level = {"name": "bmc", "devices": [{"name": "bmc", "agent": "fence_redfish"}]}
    mode = draw(mostly(None, st.sampled_from([None, "Cordon", "Drain", "HandsOff"])))
    spec: Raw = {"fencing": {"levels": [level] if draw(st.integers(0, 3)) else []}}
    status = {"fencing": {"ready": not draw(sometimes(6)), "checkedAt": "2026-03-01T12:00:00Z"}}
    return {"metadata": meta, "spec": spec | ({"maintenance": {"mode": mode}} if mode else {}), "status": status}


@st.composite
def assignments(draw: Draw, host: str) -> Raw:
    status: Raw = {}
    if not draw(sometimes(8)):
        seq = draw(mostly(USUAL_SEQ, seqs))
        earlier = [session(host, n)["nonce"] for n in range(1, seq)]
        supersedes = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        machine = f"machine-{host}" if not draw(sometimes(10)) else "another-machine"
        status["session"] = {**session(host, seq), "machineUUID": machine, "supersedes": supersedes}
    status["instances"], status["standbys"], entries, ready = {}, {}, {}, {}
    for name in SERVICES:
        uid = f"uid-{name}-0"
        if draw(st.booleans()):
            status["instances"][uid] = draw(reports(name))
        if not draw(sometimes(5)):
            revision = draw(mostly(GENERATION, st.integers(0, 2)))
            is_ready = not draw(sometimes(8))
            status["standbys"][uid] = {"ready": is_ready, "active": draw(sometimes(12)), "revision": revision}
        if draw(st.booleans()):
            entries[uid] = draw(orders(host, name))
        if draw(st.booleans()):
            ready[uid] = {"namespace": "shop", "name": f"{name}-0", "revision": draw(st.integers(0, 2))}
    meta = {"name": host, "uid": f"uid-as-{host}", "resourceVersion": "7"}
    return {"metadata": meta, "spec": {"instances": entries, "standbys": ready}, "status": status}


@st.composite
def reports(draw: Draw, name: str) -> Raw:
    phase = draw(st.sampled_from(["Stopped", "Starting", "Running", "Stopping", "Failed", "Stuck"]))
    said = {"namespace": "shop", "name": f"{name}-0", "epoch": draw(st.integers(1, 4)), "phase": phase}
    stuck = {"unstoppable": phase == "Stuck" and not draw(sometimes(4))}
    return {**said, **stuck, "released": draw(st.booleans()), "revision": draw(st.integers(0, 2))}


@st.composite
def orders(draw: Draw, host: str, name: str) -> Raw:
    return {
        "namespace": "shop",
        "name": f"{name}-0",
        "epoch": draw(st.integers(1, 3)),
        "session": session(host, draw(mostly(USUAL_SEQ, seqs))),
        "want": draw(st.sampled_from(["Up", "Down"])),
        "exclusive": True,
        "revision": draw(st.integers(0, 2)),
    }


@st.composite
def leases(draw: Draw, host: str) -> Raw:
    seq = draw(mostly(USUAL_SEQ, st.integers(0, 4)))
    return {
        "host": host,
        "seq": seq,
        "renewal": draw(mostly(9, st.integers(0, 1))),
        "sealed": seq > 0 and draw(sometimes(4)),
        "age_s": draw(st.one_of(st.just(0.5), st.sampled_from(AGES_S))),
        "sealed_age_s": draw(st.sampled_from(AGES_S)),
    }


@st.composite
def requests(draw: Draw, host: str, seq: int) -> Raw:
    spec: Raw = {"host": host, "session": session(host, seq)}
    spec["want"] = draw(st.sampled_from(["Observe", "Off", "Withdrawn"]))
    if draw(sometimes(5)):
        spec["confirm"] = {"by": "eve", "at": "2026-03-01T12:00:00Z"}
    status: Raw = {"power": draw(st.sampled_from(["On", "Off", "Unknown"]))}
    if draw(sometimes(5)):
        status["evidence"] = {"level": "bmc", "why": "read off twice"}
    status["poweredOn"] = draw(sometimes(4))
    return {"spec": spec, "status": status}


own_paths = st.builds(
    OwnPath,
    healthy=st.integers(0, 5).map(bool),
    recovered_s=mostly(0.0, st.sampled_from([NOW_S - 20, NOW_S - 5])),
    lived_before=st.frozensets(st.sampled_from(HOSTS)),
    renewed_since=st.frozensets(st.sampled_from(HOSTS)),
)


def build(random_world: Wires, own_path: OwnPath, *, backwards: bool = False) -> World:
    """The World of a random_world. The order in which things come must not matter."""
    world = World(now_s=NOW_S, wall="2026-03-01T12:00:00Z", own_path=own_path)
    each = {kind: list(reversed(raws)) if backwards else raws for kind, raws in random_world.items()}
    for raw in each["hosts"]:
        world.hosts[raw["metadata"]["name"]] = Host.from_wire(raw)
    for raw in each["assignments"]:
        world.put_assignment(HostAssignment.from_wire(raw))
    for raw in each["leases"]:
        world.leases[raw["host"]] = _lease(raw)
    for raw in each["instances"]:
        world.put_instance(HAInstance.from_wire(raw))
    for raw in each["services"]:
        world.put_service(HAService.from_wire(raw))
    for raw in each["requests"]:
        world.put_request(_request(raw))
    for raw in each["claims"]:
        for claim in _claims(world, raw):
            world.claims[claim.metadata.name] = claim
    return world


def _lease(raw: Raw) -> LeaseSeen:
    ref = session(raw["host"], raw["seq"])
    holder = f"{ref['bootID']}/{ref['nonce']}" if raw["seq"] else ""
    lease = HostLease(raw["host"], "7", holder, raw["seq"], raw["renewal"], raw["sealed"], LAB)
    return LeaseSeen(lease, NOW_S - raw["age_s"], NOW_S - raw["sealed_age_s"] if raw["sealed"] else None)


def _request(raw: Raw) -> FenceRequest:
    request = FenceRequest.from_wire({"metadata": {"name": "x"}, **raw})
    name = request_name(request.spec.host, request.spec.session)
    return request.model_copy(update={"metadata": request.metadata.model_copy(update={"name": name, "uid": name})})


def _claims(world: World, raw: Raw) -> list[ResourceClaim]:
    service = next(s for s in world.services.values() if s.uid == raw["of"])
    stranger = service.model_copy(update={"metadata": service.metadata.model_copy(update={"uid": "stranger"})})
    instance = world.instances.get(f"{service.key}-0")
    if instance is not None:
        spec = instance.spec.model_copy(update={"epoch": raw["epoch"]})
        instance = instance.model_copy(update={"spec": spec})
    owner = stranger if raw["stranger"] else service
    claims = [claim_for(key, owner, sorted(raw["hosts"]), instance) for key in claims_of(service.spec.resources)]
    return [one.model_copy(update={"metadata": one.metadata.model_copy(update={"uid": one.key})}) for one in claims]
