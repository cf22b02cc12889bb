import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.visualize.direct_labels import separate_boxes

LOW, HIGH = np.zeros(2), np.array([400.0, 300.0])


def overlaps(positions, sizes):
    return [
        (i, j)
        for i in range(len(positions))
        for j in range(i)
        if (np.abs(positions[i] - positions[j]) < (sizes[i] + sizes[j]) / 2 - 0.11).all()
    ]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 300)), min_size=1, max_size=10))
def test_few_boxes_never_overlap_and_stay_inside_the_frame(centers):
    sizes = np.full((len(centers), 2), (60.0, 14.0))
    positions = separate_boxes(np.array(centers), sizes, LOW, HIGH)
    assert not overlaps(positions, sizes)
    assert (positions - sizes / 2 >= LOW - 1e-6).all()
    assert (positions + sizes / 2 <= HIGH + 1e-6).all()


def test_boxes_that_do_not_overlap_do_not_move():
    centers = np.array([[100.0, 100.0], [300.0, 200.0]])
    np.testing.assert_array_equal(separate_boxes(centers, np.full((2, 2), 20.0), LOW, HIGH), centers)


def test_coinciding_boxes_separate_along_their_shorter_side():
    positions = separate_boxes(np.array([[200.0, 150.0]] * 2), np.array([[80.0, 10.0]] * 2), LOW, HIGH)
    np.testing.assert_allclose(positions, [[200, 145], [200, 155]])


def test_input_is_not_modified():
    centers = np.array([[200.0, 150.0], [200.0, 150.0]])
    separate_boxes(centers, np.full((2, 2), 20.0), LOW, HIGH)
    assert (centers == [200, 150]).all()
