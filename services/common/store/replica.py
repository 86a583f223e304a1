"""Making a fresh mongod a replica set of one; transactions and change streams need one."""

from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

NOT_YET_INITIALIZED = 94


def initiate(port: int, name: str) -> bool:
    """Initiate the set where it is not, and say whether the server is primary now. Safe to call again and again."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=200, connectTimeoutMS=200
    )
    try:
        if client.admin.command("hello").get("isWritablePrimary"):
            return True
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code == NOT_YET_INITIALIZED:
            client.admin.command("replSetInitiate", {"_id": name, "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]})
    except PyMongoError:
        return False
    finally:
        client.close()
    return False


def drop(uri: str, database: str) -> None:
    """Remove a database that was made for one run."""
    client: MongoClient[dict[str, Any]] = MongoClient(uri, serverSelectionTimeoutMS=5_000)
    try:
        client.drop_database(database)
    finally:
        client.close()
