"""What is heard of a program only to explain its gradients: where values come from, who changed what.

It listens beside the record, in the same run, and writes nothing to it.
"""
