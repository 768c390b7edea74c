import asyncio

import pytest

from backstay_api.errors import Conflict
from backstay_api.kinds import LEASES
from backstay_api.memory import MemoryApi, MemoryCluster


def test_the_second_of_two_writers_from_one_version_loses():
    async def story():
        api = MemoryApi(MemoryCluster())
        lease = await api.create(LEASES, {"metadata": {"name": "n1"}, "spec": {"holderIdentity": "a"}}, "hosts")
        await api.replace(LEASES, {**lease, "spec": {"holderIdentity": "b"}})
        with pytest.raises(Conflict):
            await api.replace(LEASES, {**lease, "spec": {"holderIdentity": "c"}})
        assert (await api.get(LEASES, "n1", "hosts"))["spec"] == {"holderIdentity": "b"}

    asyncio.run(story())
