"""The number of connections of a worker, within the number of files that the system lets a process open."""

import resource

# Connections per worker, most of them idle: of proxies, or of clients that send nothing. Each takes about 10 KB. An
# excess connection waits until another closes.
CONNECTIONS = 8192

# Files besides connections of clients: libraries, database, log, and connections to FHIR servers.
OTHER_FILES = 256


def connection_limit() -> int:
    """The number of connections that a worker may keep. Raises the limit of open files as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(CONNECTIONS, soft - OTHER_FILES))
