"""The errors of the OpenAPI document: name and description by status, and the headers that they have."""

ERRORS = {
    "400": ("Malformed", "The body does not match the schema; the issue names the invalid member"),
    "401": ("NotTrusted", "The token is missing or invalid; the reason is in the service's log only"),
    "403": ("NotAllowed", "The client is not registered for this service or tenant"),
    "404": ("NotFound", "No such path or service id"),
    "405": ("MethodNotAllowed", "The method is not allowed; the header `Allow` lists the allowed methods"),
    "412": ("DataMissing", "Required prefetch data was not sent and cannot be fetched"),
    "413": ("TooLarge", "The body exceeds the size limit, as sent or decompressed"),
    "415": ("Unsupported", "The content type is not one of the operation's, or the content encoding is not gzip"),
    "429": ("TooManyCalls", "This client exceeds its rate or its concurrent calls"),
    "503": (
        "Unavailable",
        "The service is at its limit of concurrent calls, or the database cannot store feedback; retry",
    ),
}
ERROR_HEADERS = {"401": ("WWW-Authenticate",), "405": ("Allow",), "429": ("Retry-After",), "503": ("Retry-After",)}
