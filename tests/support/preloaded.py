"""Imported by the process that services of the tests are forked from: what a service makes before it forks workers."""

from cds_service.app import make_knowledge
from cds_service.core import garbage_collection

make_knowledge()
garbage_collection.freeze()
