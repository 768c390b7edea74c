"""What every write and read promises, on the fake and on a real server alike."""

import pytest

from backstay_api.client.errors import AlreadyExists, Conflict, Invalid, NotFound
from backstay_api.objects.kinds import LEASES, ObjectVersion, versions_of
from contract.scene import SIZE_GROWS, WIDGETS, Play, Scene, a_widget


def test_a_new_object_has_an_identity_and_a_version(play: Play) -> None:
    async def story(scene: Scene) -> None:
        made = await scene.widget("a", size=3)
        assert made == await scene.seen("a")
        assert (made["apiVersion"], made["kind"], made["spec"]) == ("contract.backstay.dev/v1", "Widget", {"size": 3})
        meta = made["metadata"]
        assert meta["namespace"] == scene.namespace and meta["uid"] and meta["resourceVersion"].isdecimal()
        assert meta["generation"] == 1 and "status" not in made

    play(story)


def test_of_two_creations_of_one_name_the_second_is_refused(play: Play) -> None:
    async def story(scene: Scene) -> None:
        first = await scene.widget("a", size=1)
        with pytest.raises(AlreadyExists):
            await scene.widget("a", size=2)
        assert await scene.seen("a") == first

    play(story)


def test_creation_with_a_version_is_refused(play: Play) -> None:
    async def story(scene: Scene) -> None:
        with pytest.raises(Invalid, match="resourceVersion"):
            await scene.widget("a", resourceVersion="1")

    play(story)


def test_a_generated_name_is_unique_and_begins_as_asked(play: Play) -> None:
    async def story(scene: Scene) -> None:
        asked = {"metadata": {"generateName": "gen-"}, "spec": {}}
        names = {(await scene.api.create(WIDGETS, asked, scene.namespace))["metadata"]["name"] for _ in range(3)}
        assert len(names) == 3 and all(name.startswith("gen-") for name in names)

    play(story)


def test_what_is_not_there_is_not_found(play: Play) -> None:
    async def story(scene: Scene) -> None:
        with pytest.raises(NotFound, match="nobody"):
            await scene.seen("nobody")
        with pytest.raises(NotFound):
            await scene.change("nobody", size=1)
        with pytest.raises(NotFound):
            await scene.remove("nobody")
        gone = await scene.widget("gone")
        await scene.remove("gone")
        with pytest.raises((NotFound, Conflict)):
            await scene.api.replace(WIDGETS, gone)

    play(story)


def test_of_two_writers_from_one_version_the_second_gets_a_conflict(play: Play) -> None:
    async def story(scene: Scene) -> None:
        read = await scene.widget("a", size=1)
        written = await scene.api.replace(WIDGETS, {**read, "spec": {"size": 2}})
        assert ObjectVersion.of(written).version > ObjectVersion.of(read).version
        with pytest.raises(Conflict):
            await scene.api.replace(WIDGETS, {**read, "spec": {"size": 3}})
        assert await scene.seen("a") == written

    play(story)


def test_a_lease_is_a_lock(play: Play) -> None:
    async def story(scene: Scene) -> None:
        mine = {
            "metadata": {"name": "n1", "annotations": {"backstay.dev/renewal": "1"}},
            "spec": {"holderIdentity": "a"},
        }
        lease = await scene.api.lane("lease").create(LEASES, mine, scene.namespace)
        renewed = await scene.api.lane("lease").replace(LEASES, {**lease, "spec": {"holderIdentity": "b"}})
        assert renewed["spec"]["holderIdentity"] == "b"
        with pytest.raises(Conflict):
            await scene.api.replace(LEASES, {**lease, "spec": {"holderIdentity": "c"}})
        await scene.api.delete(LEASES, "n1", scene.namespace)
        with pytest.raises((NotFound, Conflict)):
            await scene.api.replace(LEASES, renewed)

    play(story)


def test_a_replace_without_a_version_is_refused_before_it_is_sent(play: Play) -> None:
    async def story(scene: Scene) -> None:
        await scene.widget("a")
        with pytest.raises(Invalid, match="resourceVersion"):
            await scene.api.replace(WIDGETS, a_widget("a", size=2, namespace=scene.namespace))

    play(story)


def test_a_write_to_a_new_object_of_the_same_name_is_refused(play: Play) -> None:
    async def story(scene: Scene) -> None:
        old = await scene.widget("a")
        await scene.remove("a")
        new = await scene.widget("a")
        with pytest.raises(Conflict):
            await scene.api.replace(WIDGETS, old)
        forged = {**old, "metadata": {**old["metadata"], "resourceVersion": ObjectVersion.of(new).resource_version}}
        with pytest.raises(Conflict, match="UID"):
            await scene.api.replace(WIDGETS, forged)

    play(story)


def test_a_write_that_changes_nothing_makes_no_version(play: Play) -> None:
    async def story(scene: Scene) -> None:
        read = await scene.widget("a")
        assert await scene.api.replace(WIDGETS, read) == read
        assert await scene.change("a", size=1) == read

    play(story)


def test_spec_and_status_are_written_apart(play: Play) -> None:
    async def story(scene: Scene) -> None:
        made = await scene.api.create(WIDGETS, {**a_widget("a"), "status": {"said": "at birth"}}, scene.namespace)
        assert "status" not in made
        both = {"spec": {"size": 9}, "status": {"said": "yes"}}
        said = await scene.api.replace(WIDGETS, {**made, **both}, subresource="status")
        assert (said["spec"], said["status"]) == ({"size": 1}, {"said": "yes"})
        grown = await scene.api.replace(WIDGETS, {**said, "spec": {"size": 9}, "status": {"said": "no"}})
        assert (grown["spec"], grown["status"]) == ({"size": 9}, {"said": "yes"})
        patched = await scene.api.patch(
            WIDGETS, "a", {"spec": {"size": 99}, "status": {"more": 1}}, scene.namespace, subresource="status"
        )
        assert (patched["spec"], patched["status"]) == ({"size": 9}, {"said": "yes", "more": 1})

    play(story)


def test_only_a_change_of_spec_is_a_new_generation(play: Play) -> None:
    async def story(scene: Scene) -> None:
        await scene.widget("a")
        labelled = await scene.api.patch(WIDGETS, "a", {"metadata": {"labels": {"x": "y"}}}, scene.namespace)
        status = await scene.api.patch(WIDGETS, "a", {"status": {"x": 1}}, scene.namespace, subresource="status")
        assert [labelled["metadata"]["generation"], status["metadata"]["generation"]] == [1, 1]
        assert (await scene.change("a", size=2))["metadata"]["generation"] == 2

    play(story)


def test_a_status_write_is_a_compare_and_swap_too(play: Play) -> None:
    async def story(scene: Scene) -> None:
        read = await scene.widget("a")
        await scene.change("a", size=2)
        with pytest.raises(Conflict):
            await scene.api.replace(WIDGETS, {**read, "status": {"said": "late"}}, subresource="status")

    play(story)


def test_a_kind_without_status_has_no_such_subresource(play: Play) -> None:
    async def story(scene: Scene) -> None:
        lease = await scene.api.create(LEASES, {"metadata": {"name": "n1"}, "spec": {}}, scene.namespace)
        with pytest.raises(NotFound):
            await scene.api.replace(LEASES, lease, subresource="status")

    play(story)


def test_in_a_merge_patch_null_deletes_objects_merge_and_lists_are_replaced(play: Play) -> None:
    async def story(scene: Scene) -> None:
        spec = {"size": 1, "deep": {"a": 1, "b": 2}, "list": [1, 2, 3]}
        await scene.api.create(
            WIDGETS, {"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": spec}, scene.namespace
        )
        patch = {"metadata": {"labels": {"x": None}}, "spec": {"deep": {"a": None, "c": 3}, "list": [4]}}
        patched = await scene.api.patch(WIDGETS, "a", patch, scene.namespace)
        assert patched["spec"] == {"size": 1, "deep": {"b": 2, "c": 3}, "list": [4]}
        assert not patched["metadata"].get("labels")

    play(story)


def test_a_patch_with_a_version_inside_is_a_compare_and_swap(play: Play) -> None:
    async def story(scene: Scene) -> None:
        first = await scene.widget("a")
        pinned = {"metadata": {"resourceVersion": ObjectVersion.of(first).resource_version}, "spec": {"size": 2}}
        await scene.api.patch(WIDGETS, "a", pinned, scene.namespace)
        with pytest.raises(Conflict):
            await scene.api.patch(WIDGETS, "a", {**pinned, "spec": {"size": 3}}, scene.namespace)
        assert (await scene.seen("a"))["spec"] == {"size": 2}

    play(story)


def test_a_rule_on_old_and_new_refuses_with_its_sentence(play: Play) -> None:
    async def story(scene: Scene) -> None:
        read = await scene.widget("a", size=5)
        with pytest.raises(Invalid, match=SIZE_GROWS) as refused:
            await scene.api.replace(WIDGETS, {**read, "spec": {"size": 4}})
        assert refused.value.code == 422
        with pytest.raises(Invalid, match=SIZE_GROWS):
            await scene.change("a", size=4)
        assert (await scene.seen("a"))["spec"] == {"size": 5}

    play(story)


def test_a_deletion_holds_only_for_the_object_that_was_meant(play: Play) -> None:
    async def story(scene: Scene) -> None:
        first = ObjectVersion.of(await scene.widget("a"))
        second = ObjectVersion.of(await scene.change("a", size=2))
        delete = scene.api.delete
        with pytest.raises(Conflict):
            await delete(WIDGETS, "a", scene.namespace, resource_version=first.resource_version)
        with pytest.raises(Conflict):
            await delete(WIDGETS, "a", scene.namespace, uid="00000000-0000-0000-0000-000000000000")
        await delete(WIDGETS, "a", scene.namespace, uid=second.uid, resource_version=second.resource_version)
        with pytest.raises(NotFound):
            await scene.seen("a")

    play(story)


def test_a_finalizer_holds_a_deleted_object_until_it_is_removed(play: Play) -> None:
    async def story(scene: Scene) -> None:
        made = await scene.widget("a", finalizers=["backstay.dev/hold"])
        await scene.remove("a")
        dying = await scene.seen("a")
        assert dying["metadata"]["deletionTimestamp"] and dying["metadata"]["generation"] == 2
        assert ObjectVersion.of(dying).version > ObjectVersion.of(made).version
        await scene.remove("a")
        assert await scene.seen("a") == dying
        assert (await scene.change("a", size=2))["spec"] == {"size": 2}
        with pytest.raises(Invalid, match="finalizer"):
            more = {"metadata": {"finalizers": ["backstay.dev/hold", "backstay.dev/more"]}}
            await scene.api.patch(WIDGETS, "a", more, scene.namespace)
        with pytest.raises(AlreadyExists):
            await scene.widget("a")
        await scene.api.patch(WIDGETS, "a", {"metadata": {"finalizers": None}}, scene.namespace)
        with pytest.raises(NotFound):
            await scene.seen("a")

    play(story)


def test_what_the_server_owns_cannot_be_written(play: Play) -> None:
    async def story(scene: Scene) -> None:
        made = await scene.widget("a")
        forged = {**made["metadata"], "creationTimestamp": "1999-01-01T00:00:00Z", "generation": 77}
        forged["labels"] = {"x": "y"}
        written = (await scene.api.replace(WIDGETS, {**made, "metadata": forged}))["metadata"]
        assert written["creationTimestamp"] == made["metadata"]["creationTimestamp"]
        assert (written["generation"], written["labels"]) == (1, {"x": "y"})
        with pytest.raises(Invalid, match="deletionTimestamp"):
            dead = {**written, "deletionTimestamp": "1999-01-01T00:00:00Z"}
            await scene.api.replace(WIDGETS, {**made, "metadata": dead})

    play(story)


def test_a_list_is_complete_in_order_and_has_a_version(play: Play) -> None:
    async def story(scene: Scene) -> None:
        for name in "ecadb":  # five objects: three chunks of the real server
            last = await scene.widget(name)
        listing = await scene.api.list(WIDGETS, scene.namespace)
        assert [meta.name for meta in (entry.meta for entry in listing.entries)] == list("abcde")
        assert int(listing.resource_version) >= ObjectVersion.of(last).version
        assert listing.items[0] == await scene.seen("a")
        assert [key[1] for key in (await scene.api.list(WIDGETS)).by_key if key[0] == scene.namespace] == list("abcde")
        assert (await scene.api.list(LEASES, scene.namespace)).items == ()

    play(story)


@pytest.mark.parametrize(("name", "expected"), [("", "abcde"), ("d", "d"), ("f", "")])
def test_a_list_can_be_of_one_name(play: Play, name: str, expected: str) -> None:
    async def story(scene: Scene) -> None:
        for each in "abcde":
            await scene.widget(each)
        listing = await scene.api.list(WIDGETS, scene.namespace, name=name)
        assert "".join(entry.meta.name for entry in listing.entries) == expected

    play(story)


def test_a_list_of_versions_carries_metadata_alone(play: Play) -> None:
    async def story(scene: Scene) -> None:
        made = [await scene.widget(name) for name in "abcde"]
        listing = await scene.api.list(versions_of(WIDGETS), scene.namespace)
        assert [entry.meta for entry in listing.entries] == [ObjectVersion.of(one) for one in made]
        assert all(set(one) == {"metadata"} for one in listing.items)
        assert int(listing.resource_version) >= ObjectVersion.of(made[-1]).version

    play(story)


def test_what_a_caller_does_to_an_object_stays_with_the_caller(play: Play) -> None:
    async def story(scene: Scene) -> None:
        mine = a_widget("a")
        made = await scene.api.create(WIDGETS, mine, scene.namespace)
        mine["spec"]["size"] = made["spec"]["size"] = 99
        made["metadata"]["labels"] = {"x": "y"}
        assert (await scene.seen("a"))["spec"] == {"size": 1}
        assert "labels" not in (await scene.seen("a"))["metadata"]

    play(story)
