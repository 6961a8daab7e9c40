"""Load for minutes, and a look at whether anything grows: memory, open files, threads, connections."""
