"""The bare loop's way to the model: httpx, lines, JSON; nothing is checked and nothing is kept."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import httpx


class BareModel:
    """One pool for all answers."""

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(trust_env=False, timeout=120, limits=httpx.Limits(max_connections=1000))
        self._url = f"{os.environ['MISTRAL_BASE_URL']}/v1/chat/completions"
        self._headers = {"authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"}

    async def download(self, url: str, token: str) -> bytes:
        response = await self._http.get(url, headers={"authorization": f"Bearer {token}"})
        return response.content

    async def stream(self, content: Any, *, vision: bool = False) -> AsyncIterator[str]:
        """The texts of the answer's chunks."""
        model = "mistral-medium-3-5" if vision else "mistral-large-2512"
        body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 4096, "stream": True}
        async with self._http.stream("POST", self._url, json=body, headers=self._headers) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        if text := choice["delta"].get("content"):
                            yield text
