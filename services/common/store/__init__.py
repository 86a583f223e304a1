"""The only code that imports motor. `MongoStores` is the truth, `MemoryStores` its twin for replay, simulation and unit tests."""
