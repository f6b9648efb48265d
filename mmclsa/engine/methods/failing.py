"""One method's failure, which must not cost the others their results."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from mmclsa.errors import UserError
from mmclsa.utils.cli import user_message

__all__ = ['one_failure']


@contextmanager
def one_failure(name: str, failed: dict[str, str]) -> Iterator[None]:
    """Note an error instead of raising it.

    Args:
        name: Who fails.
        failed: Takes the sentence, by name. What is no user's mistake is
            printed with its traceback as well.

    Yields:
        Nothing.

    Example:
        >>> failed = {}
        >>> with one_failure('oim', failed):
        ...     raise UserError('the weights a.pth do not exist')
        >>> failed
        {'oim': 'the weights a.pth do not exist'}
    """
    try:
        yield
    except UserError as error:
        failed[name] = user_message(error)
    except Exception as error:  # of any library
        traceback.print_exc()
        failed[name] = f'{type(error).__name__}: {user_message(error)}'
