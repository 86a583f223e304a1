"""The only code that knows how gRPC is served and called."""
