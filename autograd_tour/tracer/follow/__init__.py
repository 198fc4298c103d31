"""Following a program that trains: its own backward calls, and what it does to its leaves around them."""
