"""What the sandbox page needs beside the public routes: samples, what was read of a case, and changes to a request.

Nothing here is kept: a request comes in, and what is said of it goes back. Nothing here knows HTTP.
"""
