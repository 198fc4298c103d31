"""The derivative rules, torch's own formulas, and what people call an operation. No torch in here."""
