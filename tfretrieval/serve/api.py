"""The HTTP interface: routes, what they take, what they answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Path, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from tfretrieval.serve import schemas as answers
from tfretrieval.serve.findings import confused, confused_pairs, hardest
from tfretrieval.serve.limits import MOST_NEIGHBORS
from tfretrieval.serve.service import Service

REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": answers.Problem, "description": words}
    for status, words in {
        400: "The request cannot be read.",
        404: "There is no such item, class, retriever or map.",
        408: "The request did not arrive in time.",
        409: "Not now: there is no model, or the map is not ready.",
        413: "The request or the image is too large.",
        415: "The upload is no image.",
        422: "A value is missing or out of range, or the image is damaged.",
        429: "Too many requests at a time.",
    }.items()
}
FOREVER = {"Cache-Control": "private, max-age=3600"}
LONGEST_ID = 4096

Ways = list[Annotated[str, Query(pattern="^[a-z]+(:[a-z]+)?$", max_length=40)]]
Item = Annotated[
    str, Query(min_length=1, max_length=LONGEST_ID, description="Of an item of the gallery or the queries.")
]
Kind = Annotated[str, Path(min_length=1, max_length=40)]
Some = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
WAYS = (
    "Ways of searching: a retriever, or retriever:re-ranker, such as faiss:expansion. By default the first retriever."
)

router = APIRouter(prefix="/api", responses=REFUSED)


def service_of(request: Request) -> Service:
    """The service of the application that got a request."""
    service: Service = request.app.state.service
    return service


@router.get("/health", tags=["operation"])
def health() -> answers.Health:
    """Whether the server is up."""
    return answers.Health(status="ok")


@router.get("/ready", tags=["operation"], responses={503: {"model": answers.Health, "description": "Not yet."}})
def ready(request: Request, response: Response) -> answers.Health:
    """Whether the server answers searches without delay: the model is loaded and warm."""
    if request.app.state.ready:
        return answers.Health(status="ok")
    response.status_code = 503
    return answers.Health(status="starting")


@router.get("/collection", tags=["collection"])
def collection(request: Request) -> answers.CollectionAnswer:
    """What can be searched, and how."""
    return service_of(request).described


@router.get("/items", tags=["collection"], responses={200: {"model": answers.ItemsAnswer}})
def items(request: Request) -> Response:
    """The gallery, column by column."""
    return Response(service_of(request).items, media_type="application/json", headers=FOREVER)


@router.get("/item", tags=["collection"])
def item(request: Request, id: Item) -> answers.ItemAnswer:
    """An item of the gallery or of the queries."""
    return service_of(request).item(id)


@router.get(
    "/item/image", tags=["collection"], response_class=FileResponse,
    responses={200: {"content": {"image/*": {}}, "description": "The file as it is."}},
)  # fmt: skip
def image(request: Request, id: Item) -> FileResponse:
    """The file of an item as it is."""
    path, kind = service_of(request).files.original(id)
    return FileResponse(path, media_type=kind, headers=FOREVER)


@router.get(
    "/item/thumbnail", tags=["collection"], response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "A JPEG, whole and upright."}},
)  # fmt: skip
def thumbnail(
    request: Request, id: Item, side: Annotated[int, Query(ge=16, le=512, description="Pixels.")] = 192
) -> Response:
    """An item, made small."""
    return Response(service_of(request).files.thumbnail(id, side), media_type="image/jpeg", headers=FOREVER)


@router.get("/search", tags=["search"])
def search(
    request: Request,
    id: Item,
    k: Annotated[int, Query(ge=1, le=MOST_NEIGHBORS, description="Neighbors.")] = 12,
    by: Annotated[Ways, Query(max_length=12, description=WAYS)] = [],  # noqa: B006
    label: Annotated[list[str], Query(alias="class", max_length=100, description="Only neighbors of these.")] = [],  # noqa: B006
) -> answers.SearchAnswer:
    """The gallery items most like an item, itself left out."""
    return service_of(request).search_item(id, k, by, label)


@router.post("/search", tags=["search"])
async def search_upload(
    request: Request,
    image: Annotated[UploadFile, File(description="A JPEG, PNG, BMP, GIF or WebP file.")],
    k: Annotated[int, Form(ge=1, le=MOST_NEIGHBORS, description="Neighbors.")] = 12,
    by: Annotated[Ways, Form(max_length=12, description=WAYS)] = [],  # noqa: B006
    label: Annotated[list[str], Form(alias="class", max_length=100, description="Only neighbors of these.")] = [],  # noqa: B006
) -> answers.SearchAnswer:
    """The gallery items most like an image. It is not kept."""
    data = await image.read()
    return await run_in_threadpool(service_of(request).search_upload, data, k, by, label)


@router.get("/map/{method}", tags=["map"])
def map_state(request: Request, method: Kind) -> answers.MapAnswer:
    """Whether a map is ready; the first question starts the work."""
    return service_of(request).map_state(method)


@router.get(
    "/map/{method}/points", tags=["map"], response_class=Response,
    responses={
        200: {
            "content": {"application/octet-stream": {}},
            "description": "Little-endian: gallery rows int32 [m], then x and y float32 [m, 2] within -1..1.",
        }
    },
)  # fmt: skip
def map_points(request: Request, method: Kind) -> Response:
    """The points of a map that is ready."""
    return Response(service_of(request).map_points(method), media_type="application/octet-stream")


@router.get("/audit", tags=["audit"])
def audit(request: Request) -> answers.AuditAnswer:
    """What is probably wrong with the images; the first question starts the work."""
    return service_of(request).audited()


@router.get("/evaluation/{retriever}", tags=["evaluation"])
def evaluation(request: Request, retriever: Kind) -> answers.EvaluationAnswer:
    """What was measured of a retriever."""
    found = service_of(request).evaluation(retriever)
    curves = {
        name: [[float(r), float(p)] for r, p in zip(recall, precision)]
        for name, (precision, recall, _) in found.curves.items()
    }
    return answers.EvaluationAnswer(**found.to_json(), curves=curves)


@router.get("/evaluation/{retriever}/confused", tags=["evaluation"])
def confused_queries(
    request: Request,
    retriever: Kind,
    label: Annotated[str, Query(alias="class", description="Of the queries.")],
    nearest: Annotated[str, Query(description="The class of their nearest neighbors.")],
    n: Some = 100,
) -> answers.QueriesAnswer:
    """The queries of a class whose nearest neighbor is of another."""
    return confused(service_of(request).evaluation(retriever), label, nearest, n)


@router.get("/evaluation/{retriever}/pairs", tags=["evaluation"])
def pairs(request: Request, retriever: Kind, n: Some = 20) -> answers.PairsAnswer:
    """The pairs of classes that are confused, the most frequent first."""
    return answers.PairsAnswer(pairs=confused_pairs(service_of(request).evaluation(retriever), n))


@router.get("/evaluation/{retriever}/hardest", tags=["evaluation"])
def hardest_queries(request: Request, retriever: Kind, n: Some = 24) -> answers.QueriesAnswer:
    """The queries of least average precision, the worst first."""
    return hardest(service_of(request).evaluation(retriever), n)
