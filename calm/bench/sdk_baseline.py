"""Asks through the SDK alone, its own retries and all: the peer of `calm bench judge`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import openai
from openai import AsyncOpenAI


@dataclass(frozen=True)
class SdkResult:
    """What asking through the SDK alone brought."""

    answered: int
    requests: int
    seconds: float


def plain_gather(base_url: str, prompts: Sequence[str], at_once: int) -> SdkResult:
    """Asks as one would with the SDK alone, its own retries and all: the bench's comparison."""
    requests = 0

    async def count(request: object) -> None:
        nonlocal requests
        requests += 1

    async def ask() -> int:
        http_client = openai.DefaultAsyncHttpxClient(event_hooks={"request": [count]})
        gate = asyncio.Semaphore(at_once)
        async with AsyncOpenAI(
            api_key="none", base_url=base_url, http_client=http_client
        ) as client:

            async def one(prompt: str) -> bool:
                async with gate:
                    try:
                        await client.chat.completions.create(
                            model="bench", messages=[{"role": "user", "content": prompt}]
                        )
                    except openai.OpenAIError:
                        return False
                    return True

            return sum(await asyncio.gather(*map(one, prompts)))

    clock = time.perf_counter()
    answered = asyncio.run(ask())
    return SdkResult(answered, requests, time.perf_counter() - clock)
