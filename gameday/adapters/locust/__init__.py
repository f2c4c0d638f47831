"""Load by Locust: a child process behind the load protocol (`docs/load-protocol.md`).

The runner imports `driver`, `once` and `protocol`, never `agent` and its helpers: importing Locust
patches the whole process.
"""
