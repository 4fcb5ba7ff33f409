"""Keep the libraries below from talking over the compiler."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def quiet() -> Generator[None]:
    """Silence warnings and log lines: what goes wrong comes as an exception."""
    previous = logging.root.manager.disable
    logging.disable(max(previous, logging.CRITICAL))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
