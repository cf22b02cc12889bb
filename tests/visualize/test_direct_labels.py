import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.visualize.direct_labels import spread_apart

LOW, HIGH = np.zeros(2), np.array([400.0, 300.0])


def overlaps(places, sizes):
    return [
        (i, j)
        for i in range(len(places))
        for j in range(i)
        if (np.abs(places[i] - places[j]) < (sizes[i] + sizes[j]) / 2 - 0.11).all()
    ]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 300)), min_size=1, max_size=10))
def test_few_boxes_in_a_large_frame_never_overlap_and_stay_inside(centres):
    sizes = np.full((len(centres), 2), (60.0, 14.0))
    places = spread_apart(np.array(centres), sizes, LOW, HIGH)
    assert not overlaps(places, sizes)
    assert (places - sizes / 2 >= LOW - 1e-6).all()
    assert (places + sizes / 2 <= HIGH + 1e-6).all()


def test_boxes_that_do_not_touch_stay_where_they_are():
    centres = np.array([[100.0, 100.0], [300.0, 200.0]])
    np.testing.assert_array_equal(spread_apart(centres, np.full((2, 2), 20.0), LOW, HIGH), centres)


def test_two_boxes_in_one_place_part_along_their_shorter_side():
    places = spread_apart(np.array([[200.0, 150.0]] * 2), np.array([[80.0, 10.0]] * 2), LOW, HIGH)
    np.testing.assert_allclose(places, [[200, 145], [200, 155]])


def test_the_centres_that_are_given_are_not_changed():
    centres = np.array([[200.0, 150.0], [200.0, 150.0]])
    spread_apart(centres, np.full((2, 2), 20.0), LOW, HIGH)
    assert (centres == [200, 150]).all()
