"""Hammers the running service with damaged requests, and holds every answer against what it must be.

    bases       good requests: samples, the rules' cases, other people's FHIR
    mutations   what is done to them, and how the result must be read: says the same, says something else, is damaged
    cases       one case a number and a seed: which request is sent how, and what must hold
    oracles     whether it held
    run         many cases over HTTP, from several processes at once
    soak        minutes of load, and what grows in the meantime

`python -m tests.fuzz` runs it, `python -m tests.fuzz --replay FILE` sends one failing case again.
"""
