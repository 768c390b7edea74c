"""What the bench of a flood sees of the hosts beside it."""

from __future__ import annotations

from dataclasses import replace

from backstay_api.objects import lease
from backstay_api.objects.kinds import Raw
from backstay_dev.scale.flood import Flood, Seen


def renewed(host: str, renewal: int, written_s: float) -> Raw:
    spec = {"renewTime": f"2026-03-01T12:00:{written_s:09.6f}Z"}
    return lease.write(replace(lease.new(host), holder="b/x", seq=1, renewal=renewal, spec=spec))


def test_the_latest_renewal_of_any_host_is_told_and_other_writes_are_none() -> None:
    seen = Seen(2.0)
    rows = ((0.0, "n1", 5, 0.0), (1.0, "n2", 9, 1.0), (2.1, "n1", 6, 2.0), (2.5, "n1", 6, 2.0), (4.8, "n1", 7, 4.4))
    for at_s, host, renewal, written_s in rows:
        seen.lease(renewed(host, renewal, written_s), at_s)
    seen.lease(renewed("n2", 10, 2.9), 2.9)
    assert (seen.renewals, round(seen.latest_s, 3), round(seen.seen_latest_s, 3)) == (3, 0.4, 0.7)


def test_who_is_called_anything_but_alive_or_is_asked_about_is_doubted() -> None:
    seen = Seen(2.0)
    for name, liveness in (("n1", "Live"), ("n2", "Suspect")):
        seen.host({"metadata": {"name": name}, "status": {"liveness": liveness}})
    seen.request({"metadata": {"name": "n3-x"}, "spec": {"host": "n3"}})
    assert seen.doubted == {"n2", "n3"}


def test_all_of_it_is_one_tenants() -> None:
    manifests = Flood(services=7).manifests()
    assert len(manifests) == 7 and {one["metadata"]["namespace"] for one in manifests} == {"shop"}
