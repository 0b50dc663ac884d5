"""What is known of an endpoint grows; a new value takes an old one's place."""

from calm.store.store import Store


def test_a_card_is_of_one_model_at_one_address(store: Store) -> None:
    cards = store.tables.cards
    assert cards.card("http://e/v1", "m") == {}
    cards.add("http://e/v1", "m", {"format": "schema", "seed": True})
    cards.add("http://e/v1", "m", {"format": "json"})
    cards.add("http://e/v1", "n", {"format": "plain"})
    assert cards.card("http://e/v1", "m") == {"format": "json", "seed": True}
    assert cards.card("http://f/v1", "m") == {}
