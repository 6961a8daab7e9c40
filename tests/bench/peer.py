"""HealthChain as a peer, in an environment of its own: `python -m tests.bench.peer PORT raw|typed`.

It answers with no cards, like the baseline: with raw dicts it looks at each resource's type; typed it converts it by
HealthChain's own function into the models that its users work with.
"""

import sys
from typing import Any

import uvicorn  # type: ignore[import-not-found, unused-ignore]  # only in the peer's own environment
from healthchain.fhir import (  # type: ignore[import-not-found, unused-ignore]
    convert_prefetch_to_fhir_objects,
)
from healthchain.gateway import CDSHooksService, HealthChainAPI  # type: ignore[import-not-found, unused-ignore]
from healthchain.gateway.cds import CDSHooksConfig  # type: ignore[import-not-found, unused-ignore]
from healthchain.models import CDSResponse  # type: ignore[import-not-found, unused-ignore]


def main(port: int, mode: str) -> None:
    """Serve until interrupted."""
    config = CDSHooksConfig(base_path="", allowed_hooks=["order-sign"])
    service = CDSHooksService(config=config, use_events=False)

    @service.hook("order-sign", id="contrast-echo-order-sign")  # type: ignore[untyped-decorator, unused-ignore]
    def answer(request: Any) -> Any:
        prefetch = request.prefetch or {}
        if mode == "typed":
            convert_prefetch_to_fhir_objects(prefetch)
        else:
            for value in prefetch.values():
                for entry in value.get("entry", [{"resource": value}]):
                    entry["resource"]["resourceType"]
        return CDSResponse(cards=[])

    app = HealthChainAPI()
    app.register_service(service, path="")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
