import datetime

import pytest

from dataset_script.utkface import UnusableFile, parse_name, split_of


def test_a_good_name_gives_all_labels():
    labels = parse_name("26_1_3_20170116184512123.jpg.chip.jpg")
    assert (labels.age, labels.gender, labels.race) == (26, "female", "indian")
    assert labels.captured_at == datetime.datetime(2017, 1, 16, 18, 45, 12, 123000)


@pytest.mark.parametrize(
    ("name", "age", "has_time"),
    [
        ("24_0_1_20170116220224657 .jpg.chip.jpg", 24, True),  # a blank
        ("55_0_0_20170116232725357jpg.chip.jpg", 55, True),  # a missing dot
        ("14_0_0_2017011022340900.jpg.chip.jpg", 14, False),  # 16 digits
        ("28_1_2_201701161846515488.jpg.chip.jpg", 28, False),  # 18 digits
        ("116_1_0_20170116184512123.jpg.chip.jpg", 116, True),
        ("0_1_0_20170116184512123.JPG.CHIP.JPG", 0, True),
        ("30_1_0_20171316184512123.jpg.chip.jpg", 30, False),  # month 13
    ],
)
def test_labels_that_need_no_guess_are_kept(name, age, has_time):
    labels = parse_name(name)
    assert labels.age == age
    assert (labels.captured_at is not None) is has_time


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("39_1_20170116174525125.jpg.chip.jpg", "missing_field"),
        ("61_1_20170109142408075.jpg.chip.jpg", "missing_field"),
        ("117_0_0_20170109142408075.jpg.chip.jpg", "age_out_of_range"),
        ("-1_0_0_20170109142408075.jpg.chip.jpg", "age_out_of_range"),
        ("x_0_0_20170109142408075.jpg.chip.jpg", "age_out_of_range"),
        ("٣٠_0_0_20170109142408075.jpg.chip.jpg", "age_out_of_range"),  # Arabic digits
        ("30_2_0_20170109142408075.jpg.chip.jpg", "unknown_gender"),
        ("30_0_5_20170109142408075.jpg.chip.jpg", "unknown_race"),
        ("readme.txt", "unexpected_name"),
        ("30_0_0_20170109142408075.jpg", "unexpected_name"),
        ("", "unexpected_name"),
    ],
)
def test_names_that_would_need_a_guess_are_refused_with_the_reason(name, reason):
    with pytest.raises(UnusableFile) as caught:
        parse_name(name)
    assert caught.value.reason == reason


def test_the_other_variant_takes_plain_jpg_and_no_chips():
    assert parse_name("30_0_0_20170109142408075.jpg", "in_the_wild").age == 30
    with pytest.raises(UnusableFile):
        parse_name("30_0_0_20170109142408075.jpg.chip.jpg", "in_the_wild")


def test_splits_are_80_10_10_and_depend_on_the_group_alone():
    splits = [split_of(f"{number:064x}") for number in range(5000)]
    for name, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        assert abs(splits.count(name) / 5000 - share) < 0.02
    assert split_of("0" * 64) == splits[0]
