"""The numbers of a table as pure functions: references, scores, agreement, paired tests."""
