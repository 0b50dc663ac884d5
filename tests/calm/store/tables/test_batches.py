"""Jobs handed to a Batch API: found again until they are done."""

from calm.store.store import Store


def test_a_job_is_found_until_it_is_done(store: Store) -> None:
    batches = store.tables.batches
    batches.add(1, "http://e/v1", "tag-a", {"row": [["text", 0]]})
    batches.add(1, "http://e/v1", "tag-b", {})
    batches.add(1, "http://other/v1", "tag-c", {})
    batches.add(2, "http://e/v1", "tag-d", {})
    batches.mark("tag-a", "waiting", "batch_7")
    first, second = batches.unfinished(1, "http://e/v1")
    assert (first.tag, first.remote, first.questions) == (
        "tag-a",
        "batch_7",
        {"row": [["text", 0]]},
    )
    assert (second.tag, second.remote) == ("tag-b", None)
    batches.close("tag-b")
    batches.mark("tag-a", "done", "batch_7")
    assert batches.unfinished(1, "http://e/v1") == []
    assert batches.unfinished_count() == 2
