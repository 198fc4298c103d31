"""What the program called: values, lines of code, names, modules."""
