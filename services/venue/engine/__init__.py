"""The rooms of the matching engine: what everyone is told, orders and books, funds, commits, the life of markets."""
