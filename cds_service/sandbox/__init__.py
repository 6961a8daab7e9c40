"""Functions behind the sandbox page: requests for each hook, the timeline of a case, and changes to a request.

Requests are not stored. Nothing here knows HTTP.
"""
