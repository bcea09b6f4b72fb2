"""Flags that tests make for themselves."""

from collections.abc import Sequence
from typing import Any

from flask.testing import FlaskClient

Position = Sequence[float]


def ring(*corners: Position) -> list[list[float]]:
    """A closed ring."""
    return [[*corner] for corner in (*corners, corners[0])]


def rectangle(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return ring((left, top), (right, top), (right, bottom), (left, bottom))


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [*rings]}


def multi(*polygons: list[list[list[float]]]) -> dict[str, Any]:
    return {"type": "MultiPolygon", "coordinates": [*polygons]}


def point(x: float, y: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [x, y]}


def ruler(*positions: Position) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": [[*position] for position in positions]}


KINDS = {"Point": "point", "LineString": "ruler", "Polygon": "polygon", "MultiPolygon": "polygon"}
TRIANGLE = polygon(ring((100, 100), (400, 120), (250, 420)))
RING = polygon(rectangle(500, 100, 900, 500), rectangle(600, 200, 800, 400))


class Flagged:
    """A slide and somebody who flags it."""

    def __init__(self, client: FlaskClient, slide_id: str, reader: str = "Ada") -> None:
        self.client, self.slide_id = client, slide_id
        self.url = f"/api/v1/slides/{slide_id}/flags"
        self.be(reader)

    def be(self, reader: str) -> None:
        """From now on somebody else asks."""
        assert self.client.put("/api/v1/me", json={"name": reader}).status_code == 200

    def post(self, geometry: dict[str, Any] = TRIANGLE, **fields: Any) -> Any:
        body = {"kind": KINDS[geometry["type"]], "geometry": geometry, **fields}
        return self.client.post(self.url, json=body)

    def create(self, geometry: dict[str, Any] = TRIANGLE, **fields: Any) -> dict[str, Any]:
        answer = self.post(geometry, **fields)
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def patch(self, flag: dict[str, Any], **changes: Any) -> Any:
        return self.client.patch(
            f"/api/v1/flags/{flag['id']}",
            json=changes,
            headers={"If-Match": f'"{flag["version"]}"'},
        )

    def delete(self, flag: dict[str, Any]) -> Any:
        headers = {"If-Match": f'"{flag["version"]}"'}
        return self.client.delete(f"/api/v1/flags/{flag['id']}", headers=headers)

    def get(self, flag: dict[str, Any], what: str = "") -> Any:
        return self.client.get(f"/api/v1/flags/{flag['id']}{what}")

    def list(self, **query: Any) -> dict[str, Any]:
        answer = self.client.get(self.url, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def export(self, ending: str, **query: Any) -> bytes:
        answer = self.client.get(f"{self.url}.{ending}", query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.data

    def take(self, content: bytes | str, **query: Any) -> Any:
        return self.client.post(f"{self.url}/import", data=content, query_string=query)
