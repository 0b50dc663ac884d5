"""What many coroutines write is committed together, and an error comes to those it concerns."""

import asyncio

import pytest

from calm.errors import StoreError
from calm.records import Subgoal
from calm.store.store import Store
from calm.store.writer import Writer

LISTS = [(Subgoal(f"subgoal {i}", "It shows."),) for i in range(7)]


def test_all_writes_are_committed_when_their_futures_are_done(store: Store) -> None:
    async def write() -> None:
        writer = Writer(store)
        try:
            await asyncio.gather(
                *(
                    writer.submit(lambda x=x: store.keep_subgoals("T", x, "me"))  # type: ignore[misc]
                    for x in LISTS
                )
            )
            assert len(store.subgoal_sets("T")) == 7
        finally:
            writer.close()

    asyncio.run(write())


def test_a_group_that_fails_is_rolled_back_and_says_so(store: Store) -> None:
    def fail() -> None:
        store.keep_subgoals("T", LISTS[0], "me")
        raise StoreError("no")

    async def write() -> None:
        writer = Writer(store)
        try:
            with pytest.raises(StoreError, match="no"):
                await writer.submit(fail)
        finally:
            writer.close()

    asyncio.run(write())
    assert store.subgoal_sets("T") == {}


def test_what_is_queued_is_committed_before_the_end(store: Store) -> None:
    async def write() -> None:
        writer = Writer(store)
        future = writer.submit(lambda: store.keep_subgoals("T", LISTS[0], "me"))  # type: ignore[arg-type,return-value]
        writer.close()
        await future

    asyncio.run(write())
    assert len(store.subgoal_sets("T")) == 1
