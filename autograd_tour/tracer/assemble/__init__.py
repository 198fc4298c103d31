"""The graph of grad_fns and what was heard of the program -> the nodes and edges of a Graph."""
