"""A trace that another engine writes: python micrograd_trace.py > micrograd.json (pip install micrograd)."""

import json

from micrograd.engine import Value

x, w, b = Value(2.0), Value(-3.0), Value(6.5)
loss = (y := x * w + b) ** 2
names = {x: "x", w: "w", b: "b", y: "y", loss: "loss"}
children, nodes, edges, steps = {}, [], [], []


def visit(value):  # inputs first
    below = sorted(value._prev, key=lambda child: (child.data, child._op))
    for child in [item for item in below if item not in children]:
        visit(child)
    children.setdefault(value, below)


def edge(src, dst, kind, *slot):
    edges.append({"src": src, "dst": dst, "kind": kind, "slot": slot or (0, 0)})


def facts(number):
    return {"shape": [], "dtype": "float64", "first": [number], "last": number}


visit(loss)
ids = {value: f"n{number}" for number, value in enumerate(children)}
onto = {value: key if value._op else f"a{key}" for value, key in ids.items()}  # where its gradient goes
for value, key in ids.items():
    name, kind = names.get(value, ""), "operation" if value._op else "leaf"
    terms = [names.get(child, "…") for child in children[value]]
    title = f" {value._op} ".join(terms) if len(terms) > 1 else "".join(terms) + value._op or name
    node = {"id": key, "kind": kind, "op": title, "expr": name, "slots": len(children[value])}
    nodes.append(node | {"values": [facts(value.data)], "names": [name]})
    if not value._op:
        nodes.append({"id": onto[value], "kind": "accumulate"})
        edge(key, onto[value], "forward")
        edge(onto[value], key, "gradient")
    for slot, child in enumerate(children[value]):
        edge(ids[child], key, "forward", 0, slot)
        edge(key, onto[child], "gradient", slot, 0)
    value.grad = float(value is loss)
for value, below in reversed(children.items()):  # micrograd's own backward, one node at a time
    before = [child.grad for child in below]
    value._backward()
    sent = [facts(child.grad - grad) for child, grad in zip(below, before, strict=True)]
    grad = facts(value.grad)
    steps.append({"node": onto[value], "received": [grad]} | ({"sent": sent} if sent else {"after": grad}))
graph = {"nodes": nodes, "edges": edges, "passes": [{"steps": steps}], "outputs": [(ids[loss], 0)]}
print(json.dumps({"format": "autograd-tour", "schema": 2, "graph": graph}, indent=1))
