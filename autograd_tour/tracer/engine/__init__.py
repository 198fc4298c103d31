"""The engine at work: one backward, one that waits between its steps, and backward again and again."""
