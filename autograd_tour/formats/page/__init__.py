"""The page: one HTML file with the picture, its steps, the code, the ledger and the questions.

Nothing is loaded here: the folder of formats is scanned for every picture, and jinja2 takes its time.
"""
