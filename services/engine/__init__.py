"""The engine: decides what becomes of a copy, and alone may place an order."""
