"""Connections to Milvus, and the servers behind files of Milvus Lite."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from mmclsa.errors import UserError
from mmclsa.utils.optional import import_optional

__all__ = ['close_client', 'drop_structures', 'open_client']

# pymilvus serves a file for the whole process until it ends, which would keep
# other processes out of an index that was closed.
_users: Counter[str] = Counter()


def open_client(address: str, token: str = '') -> Any:
    """Connect to Milvus.

    Args:
        address: Address of a server, or absolute path of a file.
        token: Secret of the server.

    Returns:
        A ``pymilvus.MilvusClient``.

    Raises:
        UserError: If there is no connection, or pymilvus is not installed.
    """
    milvus = import_optional('pymilvus', 'milvus')
    if '://' not in address:
        import_optional('milvus_lite', 'milvus')
        Path(address).parent.mkdir(parents=True, exist_ok=True)
    try:
        client = milvus.MilvusClient(address, token=token)
    except milvus.MilvusException as error:
        raise UserError(
            f'no connection to Milvus at {address} ({error.message}): it must be running, and a '
            'file can be used by one process at a time'
        ) from error
    _users[address] += 1
    return client


def close_client(client: Any, address: str) -> None:
    """Close a connection, and with the last one the file behind it.

    Args:
        client: What :func:`open_client` gave.
        address: For this address.
    """
    client.close()
    _users[address] -= 1
    if '://' not in address and not _users[address]:
        server = import_optional('milvus_lite.server_manager', 'milvus')
        server.server_manager_instance.release_server(address)


def drop_structures(address: str) -> bool:
    """Delete what Milvus Lite keeps beside the vectors, and makes again where it is missing.

    It writes these files in place: one that it was writing when it was killed is half there,
    and no collection with such a file can be loaded.

    Args:
        address: Absolute path of its file; a server has nothing here.

    Returns:
        Whether there was any.
    """
    if '://' in address:
        return False
    found = list(Path(address).glob('collections/*/partitions/*/indexes/*.idx'))
    for path in found:
        path.unlink()
    return bool(found)
