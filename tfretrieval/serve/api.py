"""Routes of the HTTP API."""

from time import perf_counter
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, File, Form, Path, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from tfretrieval.retrieval.reranking import RERANKERS
from tfretrieval.serve import evaluated_queries, images, schemas
from tfretrieval.serve.limits import MAX_NEIGHBORS
from tfretrieval.serve.service import Service

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Error, "description": description}
    for status, description in {
        400: "The request is malformed.",
        404: "Unknown item, class, retriever or map.",
        408: "The request did not arrive in time.",
        409: "The map is not ready.",
        413: "The request or the image is too large.",
        415: "The upload is not an image.",
        422: "A value is missing or out of range, or the image is corrupt.",
        429: "Too many concurrent requests.",
    }.items()
}
CACHED = {"Cache-Control": "private, max-age=3600"}
MAX_ID_LENGTH = 4096

Methods = list[Annotated[str, Query(pattern="^[a-z]+(:[a-z]+)?$", max_length=40)]]
ItemId = Annotated[
    str, Query(min_length=1, max_length=MAX_ID_LENGTH, description="Id of an item of the gallery or the queries.")
]
Name = Annotated[str, Path(min_length=1, max_length=40)]
Count = Annotated[int, Query(ge=1, le=500, description="Maximum number.")]
METHODS = "Search methods: a retriever, or retriever:re-ranker, such as faiss:expansion. Default: the first retriever."

router = APIRouter(prefix="/api", responses=ERRORS)


def _service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


CurrentService = Annotated[Service, Depends(_service_of)]


@router.get("/health", tags=["operation"])
def health() -> schemas.Health:
    """Whether the server is up."""
    return schemas.Health(status="ok")


@router.get(
    "/ready", tags=["operation"], responses={503: {"model": schemas.Health, "description": "The model is loading."}}
)
def ready(request: Request, response: Response) -> schemas.Health:
    """Whether the model is loaded and warmed up."""
    if request.app.state.ready:
        return schemas.Health(status="ok")
    response.status_code = 503
    return schemas.Health(status="starting")


@router.get("/collection", tags=["collection"])
def collection(service: CurrentService) -> schemas.CollectionInfo:
    """Describe the gallery and the available retrievers, re-rankers and maps."""
    served, gallery = service.collection, service.collection.gallery
    return schemas.CollectionInfo(
        name=served.name,
        n_gallery=len(gallery),
        n_queries=len(served.queries),
        dim=gallery.dim,
        class_names=list(gallery.items.class_names),
        class_counts=gallery.items.counts().tolist(),
        retrievers={kind: index.describe() for kind, index in served.indexes.items()},
        rerankers=list(RERANKERS),
        evaluated=list(served.evaluations),
        maps=list(service.maps),
        limits=service.limits,
        facts=dict(served.facts),
    )


@router.get("/items", tags=["collection"], responses={200: {"model": schemas.Items}})
def items(service: CurrentService) -> Response:
    """Return the gallery, one list per column."""
    return Response(service.items, media_type="application/json", headers=CACHED)


@router.get("/item", tags=["collection"])
def item(service: CurrentService, id: ItemId) -> schemas.Item:
    """Return an item of the gallery or the queries."""
    embeddings, row = service.collection.locate(id)
    return schemas.Item(
        id=id,
        label=embeddings.items.class_of(row),
        split=embeddings.items.splits[row],
        in_gallery=embeddings is service.collection.gallery,
    )


@router.get(
    "/item/image", tags=["collection"], response_class=FileResponse,
    responses={200: {"content": {"image/*": {}}, "description": "The original file."}},
)  # fmt: skip
def image(service: CurrentService, id: ItemId) -> FileResponse:
    """Return the original file of an item."""
    path = service.collection.path_of(id)
    return FileResponse(path, media_type=images.media_type(path), headers=CACHED)


@router.get(
    "/item/thumbnail", tags=["collection"], response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "An upright JPEG."}},
)  # fmt: skip
def thumbnail(
    service: CurrentService, id: ItemId, side: Annotated[int, Query(ge=16, le=512, description="Pixels.")] = 192
) -> Response:
    """Return a thumbnail of an item."""
    content = images.thumbnail(service.collection.path_of(id), side)
    return Response(content, media_type="image/jpeg", headers=CACHED)


@router.get("/search", tags=["search"])
def search(
    service: CurrentService,
    id: ItemId,
    k: Annotated[int, Query(ge=1, le=MAX_NEIGHBORS, description="Number of neighbors.")] = 12,
    by: Annotated[Methods, Query(max_length=12, description=METHODS)] = [],  # noqa: B006
    label: Annotated[list[str], Query(alias="class", max_length=100, description="Return these classes only.")] = [],  # noqa: B006
) -> schemas.SearchResponse:
    """Search the nearest neighbors of an item, the item itself excluded."""
    embeddings, row = service.collection.locate(id)
    response = service.search(np.asarray(embeddings.vectors[row]), k, by, label, exclude=id)
    return response.model_copy(update={"id": id, "label": embeddings.items.class_of(row) or None})


@router.post("/search", tags=["search"])
def search_upload(
    service: CurrentService,
    image: Annotated[UploadFile, File(description="A JPEG, PNG, BMP, GIF or WebP file.")],
    k: Annotated[int, Form(ge=1, le=MAX_NEIGHBORS, description="Number of neighbors.")] = 12,
    by: Annotated[Methods, Form(max_length=12, description=METHODS)] = [],  # noqa: B006
    label: Annotated[list[str], Form(alias="class", max_length=100, description="Return these classes only.")] = [],  # noqa: B006
) -> schemas.SearchResponse:
    """Search the nearest neighbors of an image. The image is not stored."""
    started, engine = perf_counter(), service.collection.engine
    with service.decoding:
        pixels = images.decode_upload(image.file.read(), engine.image_size, engine.resize_mode, service.limits.pixels)
        vector = engine.embed_pixels(pixels[None])[0]
    embedding_ms = (perf_counter() - started) * 1000
    return service.search(vector, k, by, label).model_copy(update={"embedding_ms": embedding_ms})


@router.get("/map/{method}", tags=["map"])
def map_state(service: CurrentService, method: Name) -> schemas.MapState:
    """Return the state of a map; the first request starts its computation."""
    task = service.map_task(method)
    result = task.result(0)
    return schemas.MapState(method=method, state=task.state, n=len(result.rows) if result else 0, error=task.error)


@router.get(
    "/map/{method}/points", tags=["map"], response_class=Response,
    responses={
        200: {
            "content": {"application/octet-stream": {}},
            "description": "Little-endian: gallery rows int32 [m], then x and y float32 [m, 2] in -1..1.",
        }
    },
)  # fmt: skip
def map_points(service: CurrentService, method: Name) -> Response:
    """Return the points of a map that is ready."""
    result = service.map_task(method).result(0)
    if result is None:
        raise HTTPException(409, "the map is not ready")
    content = result.rows.astype("<i4").tobytes() + result.points.astype("<f4").tobytes()
    return Response(content, media_type="application/octet-stream")


@router.get("/audit", tags=["audit"])
def audit(service: CurrentService) -> schemas.AuditState:
    """Return label issues and duplicates; the first request starts the audit."""
    task = service.audit
    result = task.result(0) or {}
    groups = [*result.get("duplicates", ()), *result.get("near_duplicates", ())]
    duplicates = [
        {**group, "items": [item(service, name) for name in group["ids"] if name in service.collection]}
        for group in groups
    ]
    state = {"state": task.state, "error": task.error, "duplicates": duplicates}
    return schemas.AuditState.model_validate({"n_label_issues": 0, "label_issues": [], **result, **state})


@router.get("/evaluation/{retriever}", tags=["evaluation"])
def evaluation(service: CurrentService, retriever: Name) -> schemas.EvaluationResult:
    """Return the evaluation of a retriever."""
    result = service.evaluation(retriever)
    curves = {
        name: np.column_stack([recall, precision]).tolist() for name, (precision, recall, _) in result.curves.items()
    }
    return schemas.EvaluationResult(**result.to_json(), curves=curves)


@router.get("/evaluation/{retriever}/confused", tags=["evaluation"])
def confused_queries(
    service: CurrentService,
    retriever: Name,
    label: Annotated[str, Query(alias="class", description="Class of the queries.")],
    nearest: Annotated[str, Query(description="Class of their nearest neighbors.")],
    n: Count = 100,
) -> schemas.EvaluatedQueries:
    """Return queries of one class whose nearest neighbor has another."""
    return evaluated_queries.confused_queries(service.evaluation(retriever), label, nearest, n)


@router.get("/evaluation/{retriever}/pairs", tags=["evaluation"])
def pairs(service: CurrentService, retriever: Name, n: Count = 20) -> schemas.ConfusedPairs:
    """Return the most frequently confused pairs of classes."""
    return evaluated_queries.most_confused_pairs(service.evaluation(retriever), n)


@router.get("/evaluation/{retriever}/hardest", tags=["evaluation"])
def hardest_queries(service: CurrentService, retriever: Name, n: Count = 24) -> schemas.EvaluatedQueries:
    """Return the queries with the lowest average precision."""
    return evaluated_queries.hardest_queries(service.evaluation(retriever), n)
