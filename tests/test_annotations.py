"""Outlines as ASAP and CAMELYON write them, and what is refused."""

import json

import numpy as np
import pytest

from model.extraction.annotations import CAMELYON_GROUPS, read_annotations
from model.extraction.errors import MaskInvalid

SQUARE = [(10, 10), (50, 10), (50, 50), (10, 50)]


def annotation(group, vertices=SQUARE, kind="Polygon", orders=None, name="Annotation 0"):
    orders = range(len(vertices)) if orders is None else orders
    coordinates = "".join(
        f'<Coordinate Order="{order}" X="{x}" Y="{y}" />'
        for order, (x, y) in zip(orders, vertices, strict=True)
    )
    return (
        f'<Annotation Name="{name}" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58">'
        f"<Coordinates>{coordinates}</Coordinates></Annotation>"
    )


def write(path, *annotations, groups=()):
    declared = "".join(
        f'<Group Name="{name}" PartOfGroup="{parent}" Color="#64FE2E"><Attributes /></Group>'
        for name, parent in groups
    )
    path.write_text(
        f'<?xml version="1.0"?>\n<ASAP_Annotations><Annotations>{"".join(annotations)}'
        f"</Annotations><AnnotationGroups>{declared}</AnnotationGroups></ASAP_Annotations>"
    )
    return path


@pytest.mark.parametrize("group", ["Tumor", "_0", "_1", "metastases"])
def test_tumour_groups_of_camelyon(tmp_path, group):
    found = read_annotations(write(tmp_path / "a.xml", annotation(group)))
    np.testing.assert_array_equal(found.tumour, [SQUARE])
    assert not found.normal


@pytest.mark.parametrize("group", ["_2", "Exclusion", "normal"])
def test_groups_that_are_not_tumour(tmp_path, group):
    found = read_annotations(write(tmp_path / "a.xml", annotation(group)))
    assert not found.tumour
    np.testing.assert_array_equal(found.normal, [SQUARE])


def test_a_group_counts_as_the_group_it_is_part_of(tmp_path):
    path = write(
        tmp_path / "a.xml",
        annotation("lesion 3"),
        groups=[("lesion 3", "Tumor"), ("Tumor", "None")],
    )
    assert len(read_annotations(path).tumour) == 1


@pytest.mark.parametrize("group", ["None", "Stroma"])
def test_a_group_nobody_explained_is_refused_until_it_is_explained(tmp_path, group):
    path = write(tmp_path / "a.xml", annotation(group))
    with pytest.raises(MaskInvalid, match=f"'{group}'.*--group '{group}=tumour'"):
        read_annotations(path)
    found = read_annotations(path, {**CAMELYON_GROUPS, group: "tumour"})
    assert len(found.tumour) == 1


def test_groups_that_are_part_of_one_another_end(tmp_path):
    path = write(tmp_path / "a.xml", annotation("a"), groups=[("a", "b"), ("b", "a")])
    with pytest.raises(MaskInvalid, match="group 'a'"):
        read_annotations(path)


def test_vertices_follow_their_order_numbers(tmp_path):
    path = write(tmp_path / "a.xml", annotation("Tumor", SQUARE, orders=[2, 0, 3, 1]))
    expected = [SQUARE[1], SQUARE[3], SQUARE[0], SQUARE[2]]
    np.testing.assert_array_equal(read_annotations(path).tumour, [expected])


@pytest.mark.parametrize(
    ("vertices", "orders"),
    [
        (SQUARE, [0, 1, 1, 2]),
        (SQUARE, [0, 1, 2, 4]),
        (SQUARE, ["x", 1, 2, 3]),
        ([*SQUARE[:3], ("nan", 4)], None),
        ([*SQUARE[:3], ("12,5", 4)], None),
    ],
)
def test_broken_vertices_are_refused(tmp_path, vertices, orders):
    path = write(tmp_path / "a.xml", annotation("Tumor", vertices, orders=orders))
    with pytest.raises(MaskInvalid, match="vertices"):
        read_annotations(path)


def test_what_is_no_area_is_counted_and_left(tmp_path):
    path = write(
        tmp_path / "a.xml",
        annotation("Tumor", SQUARE[:1], "Dot"),
        annotation("Tumor", SQUARE[:2]),
        annotation("Tumor", SQUARE, "Rectangle"),
        annotation("Tumor", SQUARE, "Spline"),
    )
    found = read_annotations(path)
    assert len(found.tumour) == 2
    assert found.skipped == {"Dot, not an area": 1, "fewer than three vertices": 1}


def test_an_unknown_type_is_refused(tmp_path):
    with pytest.raises(MaskInvalid, match="'Ellipse'"):
        read_annotations(write(tmp_path / "a.xml", annotation("Tumor", kind="Ellipse")))


BOMB = (
    '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><ASAP_Annotations>&c;</ASAP_Annotations>'
)
THIEF = (
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><ASAP_Annotations>&b;</ASAP_Annotations>'
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB + "</ASAP_Annotations>",
        THIEF + "</ASAP_Annotations>",
        "<ASAP_Annotations><Annotations>",
        "",
        "no xml",
        "\0\1",
    ],
)
def test_unsafe_and_broken_xml_is_refused(tmp_path, text):
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(MaskInvalid, match="not safe, well-formed XML"):
        read_annotations(path)


def test_other_xml_is_refused(tmp_path):
    (tmp_path / "a.xml").write_text("<svg/>")
    with pytest.raises(MaskInvalid, match="not of ASAP"):
        read_annotations(tmp_path / "a.xml")


def test_a_missing_file_is_named_without_its_folder(tmp_path):
    with pytest.raises(MaskInvalid, match=r"'a\.xml' could not be read") as caught:
        read_annotations(tmp_path / "a.xml")
    assert str(tmp_path) not in str(caught.value)


def test_outlines_as_json(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps(
            {
                "positive": [{"name": "_0", "vertices": SQUARE}],
                "negative": [{"name": "_2", "vertices": SQUARE[:3]}],
            }
        )
    )
    found = read_annotations(path)
    np.testing.assert_array_equal(found.tumour, [SQUARE])
    np.testing.assert_array_equal(found.normal, [SQUARE[:3]])


@pytest.mark.parametrize("text", ["{}", "[]", '{"positive": [{}], "negative": []}', "{"])
def test_other_json_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(MaskInvalid, match="'positive' and 'negative'"):
        read_annotations(tmp_path / "a.json")


def test_shifted_outlines(tmp_path):
    found = read_annotations(write(tmp_path / "a.xml", annotation("Tumor"))).shifted(-10, -5)
    assert found.tumour[0].min(axis=0).tolist() == [0, 5]
