"""The table of cards: what is known of each endpoint's abilities, by address and model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from calm.store.database import Database


class Cards:
    """The cards in a store's file."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def card(self, endpoint: str, model: str) -> dict[str, Any]:
        """Returns what is known of a model at an address; {} if nothing."""
        rows = self._db.query(
            "SELECT card FROM cards WHERE endpoint = ? AND model = ?", [endpoint, model]
        )
        return dict(json.loads(rows[0][0])) if rows else {}

    def add(self, endpoint: str, model: str, card: Mapping[str, Any]) -> None:
        """Adds to what is known of a model at an address; a new value takes an old one's place."""
        card = self.card(endpoint, model) | dict(card)
        self._db.execute(
            "INSERT OR REPLACE INTO cards (endpoint, model, card) VALUES (?, ?, ?)",
            [endpoint, model, json.dumps(card, sort_keys=True)],
        )
