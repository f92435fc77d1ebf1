"""The world outside: tools of other programs and services, and the ledger of calls to them.

May touch store/ and the network; steps/ and tools/ use it through `Connectors`.
"""
