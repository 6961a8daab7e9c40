"""Imported by the process that services of the tests are forked from: what a service makes before it forks workers."""

from cds_service.app import make_knowledge

make_knowledge()
