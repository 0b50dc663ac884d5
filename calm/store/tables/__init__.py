"""Every SQL statement about answers: a file a table, a named method a statement.

No other file of the project holds SQL, beside `calm/store/database.py`, which opens the file,
`calm/store/schema.py`, which makes its tables, and the labels' own `data/label/store.py`.
"""

from __future__ import annotations

from calm.store.database import Database
from calm.store.tables.answers import Answers
from calm.store.tables.batches import Batches
from calm.store.tables.browsing import Browsing
from calm.store.tables.calls import Calls
from calm.store.tables.cards import Cards
from calm.store.tables.contexts import Contexts
from calm.store.tables.leases import Leases
from calm.store.tables.subgoal_lists import SubgoalLists


class Tables:
    """The tables of a store's file, each with the statements about it."""

    def __init__(self, database: Database) -> None:
        self.contexts = Contexts(database)
        self.calls = Calls(database)
        self.answers = Answers(database)
        self.leases = Leases(database)
        self.batches = Batches(database)
        self.cards = Cards(database)
        self.subgoal_lists = SubgoalLists(database)
        self.browsing = Browsing(database)
