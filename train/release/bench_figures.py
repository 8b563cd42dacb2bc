"""Figures in the READMEs that ``benchmarks/`` measured, see ``figures.py``."""

import json
import pathlib

from train.history import read_history
from train.release.dataset_facts import facts, trained_on
from train.release.units import show

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"


def saved(metrics: dict) -> str:
    """How fast the trainer is beside a plain loop, and what caching saves."""
    bench = _bench("training")
    rows = [
        f"| {size} | {speed['plain']:.1f} | {speed['trainer']:.1f} | {speed['ratio']:.2f} × |"
        for size, speed in bench["pictures_a_second"].items()
    ]
    caching = bench["caching"]
    epochs = caching["epoch_s"]
    return (
        "| input, px | plain PyTorch loop, images/s | `python -m train`, images/s | ratio |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nAn epoch of stage 2 on {caching['chips']} chips at {caching['size']} px: {epochs['pictures']:.1f} s "
        f"from "
        f"pictures, {epochs['cached']:.1f} s from cached activations ({caching['cached_times_faster']:.2f} ×); "
        f"filling the "
        f"cache took {caching['caching_once_s']:.1f} s.\n"
    )


def _bench(name: str) -> dict:
    return json.loads((BENCHMARKS / f"{name}.json").read_text(encoding="utf-8"))


def engines(metrics: dict) -> str:
    """How fast each engine is, the network alone and photos end to end."""
    forward, photos = _bench("engines"), _bench("photos")
    rows = [
        "| engine/precision | network only, faces/s | × ONNX Runtime float32 | of the processor's matrix speed |",
        "|---|---|---|---|",
    ]
    for name, side in forward["engines"].items():
        share = show(side["share_of_processor"], "share")
        rows.append(f"| {name} | {side['per_second']:.0f} | {side['times_base']:.2f} | {share} |")
    rows += [
        "",
        "| end to end, photos/s | 448 px | × 0.2.0 | 12 megapixels | × 0.2.0 |",
        "|---|---|---|---|---|",
    ]
    small, large = (photos[key]["sides"] for key in ("photos_448", "photos_12_megapixels"))
    for name in small:
        cells = [f"{s[name][key]:.2f}" for s in (small, large) for key in ("per_second", "times_version_020")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    machine = forward["machine"]
    return "\n".join(rows) + (
        f"\n\nOne run on {machine['cores']} cores of {machine['processor']} ({', '.join(machine['instructions'])}); "
        "`make bench` repeats it.\n"
    )


def profile(metrics: dict) -> str:
    """Where a single photo's time goes, by engine."""
    bench = _bench("profile")
    sides = [(size, side) for size, sides in bench["photos"].items() for side in sides.values()]
    cells = [f"{size}, {side['runs']}" for size, side in sides]
    rows = [f"| ms per photo, one at a time | {' | '.join(cells)} |", f"|---|{'---|' * len(sides)}"]
    for part in sides[0][1]["ms"]:
        cells = [f"{side['ms'][part]:.1f}" for _, side in sides]
        rows.append(f"| {part} | {' | '.join(cells)} |")
    cells = [f"{side['whole_ms']:.1f}" for _, side in sides]
    rows.append(f"| all | {' | '.join(cells)} |")
    least = ", ".join(f"{ms:.1f} in {name}" for name, ms in bench["resnet50_at_the_processors_speed_ms"].items())
    return (
        "\n".join(rows)
        + f"\n\nResNet50's multiplications at the processor's own speed would take, in milliseconds: {least}.\n"
    )


def page(metrics: dict) -> str:
    """How soon the page answers, and what it bears."""
    bench, load = _bench("page"), _bench("space")
    poke, live = bench["poke"], bench["live"]
    live_frames = ", ".join(f"{count} {outcome}" for outcome, count in load["live_frames"].items())
    asked, busy = sum(load["outcomes"].values()), load["outcomes"].get("refused", 0)
    unusable = load["outcomes"].get("sentence", 0)
    return (
        f"- A slider is moved: the new prediction is shown after {poke['median_s']:.2f} s (95th percentile "
        f"{poke['p95_s']:.2f} s, the time of "
        f"{poke['p95_forward_passes']:.0f} forward passes of the network).\n"
        f"- A frame from the camera: after {live['median_s']:.2f} s ({live['p95_s']:.2f} s, "
        f"{live['p95_forward_passes']:.0f} forward passes). "
        f"One moving face had the numbers {', '.join(live['numbers'])} and ages from {live['ages'][0]} to "
        f"{live['ages'][1]}.\n"
        f"- {load['clients']} visitors at once, half of them with a camera: of {asked} uploads, some of them no "
        f"pictures on purpose, "
        f"{load['outcomes']['answer']} got a prediction, {unusable} a sentence on why the file cannot be used, and "
        f"{busy} were asked to "
        f"try again. Frames: {live_frames}. Memory grew by {load['memory_grown_in_second_round_mb']:.0f} MB in the "
        f"second round.\n"
    )


def browser(metrics: dict) -> str:
    """What the static page costs, and how far its predictions are from Python's."""
    bench = _bench("browser")
    photo, png, jpeg = bench["photo_ms"], bench["agreement"], bench["agreement_jpeg"]
    own = bench["python_with_a_few_pixels_one_step_brighter"]
    return (
        f"- A photo of 512 pixels takes {photo['chromium']:.0f} ms in headless Chromium on one thread, "
        f"{bench['times_python']:.1f} times as long as Python's `onnx/int8` on one thread. With {bench['threads']} threads "
        f"it takes {photo['chromium_threads']:.0f} ms ({bench['times_faster_on_threads']:.2f} times faster).\n"
        f"- The first prediction downloads {bench['first_answer_mb']:.0f} MB.\n"
        f"- Of {png['faces']} faces in forty pictures, {png['same_faces']} are found in the same place. Their ages "
        f"differ from Python's by {png['years_mean']:.2f} years on average and {png['years_most']:.2f} years at most; "
        f"{png['same_side_of_half']:.0%} of genders agree. For JPEG files, which Chromium decodes itself, these are "
        f"{jpeg['years_mean']:.2f} and {jpeg['years_most']:.2f} years.\n"
        f"- For comparison: if 0.1 % of a crop's values change by one, Python's own int8 predictions change by "
        f"{own['years_mean']:.2f} and {own['years_most']:.2f} years.\n"
    )


def peers(metrics: dict) -> str:
    """Accuracy and speed beside another package."""
    bench = _bench("peers")
    rows = [
        "| pictures | predictor | age error, years | gender accuracy | missed | images/s |",
        "|---|---|---|---|---|---|",
    ]
    for title, sides in bench["sets"].items():
        for name, side in sides.items():
            error, gender = show(side["age_error"]["value"], "years"), show(side["gender"]["value"], "share")
            rows.append(f"| {title} | {name} | {error} | {gender} | {side['missed']} | {side['per_second']:.1f} |")
    trained, known = trained_on(read_history()), facts()["measured"]
    away = [title for title in bench["sets"] if title in known and known[title].get("of") not in trained]
    return "\n".join(rows) + (
        "\n\nOur training used other images from these datasets"
        + (f", except {', '.join(away)}, which is unseen" if away else "")
        + f". The authors of {bench['peer']} do not publish their training data. Where labels are bins, the error is "
        f"the distance to the "
        "bin. Paired differences with intervals: `benchmarks/peers.json`.\n"
    )


def open_faces(metrics: dict) -> str:
    """This model and others on the faces that may be shown."""
    rows = [
        "| model | age: mean error, years | women, signed | men, signed | gender correct | one person's two photos differ by | missed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in _bench("open_faces").items():
        overall, women, men = one["overall"], *(one["groups"]["gender"][key]["age_bias"] for key in ("women", "men"))
        age, gender = overall["age_mae"], overall["gender"]
        rows.append(
            f"| {name} | {show(age['value'], 'years')} ({show(age['low'], 'years')} to {show(age['high'], 'years')}) | "
            f"{women['value']:+.1f} | {men['value']:+.1f} | {show(gender['value'], 'share')} | "
            f"{show(one['pairs']['age_moves']['value'], 'years')} years | {one['missed']} of {one['photos']} |"
        )
    return "\n".join(rows) + "\n"


def bulk(metrics: dict) -> str:
    """Speed, memory and fault tolerance of bulk labelling."""
    bench, faults = _bench("bulk"), _bench("faults")
    rates = ", ".join(f"{name}: {rate:.1f}" for name, rate in bench["pictures_per_second"].items())
    hours = ", ".join(
        f"{hours:.1f} hours on {cores} cores" for cores, hours in bench["a_million_pictures"]["hours"].items()
    )
    memory = " and ".join(f"{gb:.2f} GB for {count}" for count, gb in bench["memory_gb"].items())
    killed, lost, hostile = faults["killed"], faults["node_lost"], faults["hostile"]
    return (
        f"- Speed, images/s: {rates}.\n"
        f"- Peak memory of all processes: {memory} pictures.\n"
        f"- A million pictures would take {hours} ({bench['a_million_pictures']['assumption']}).\n"
        f"- Killed {killed['kills']} times at random moments and resumed: {killed['rows_that_differ']} of "
        f"{killed['rows']} rows differ from "
        f"an uninterrupted run. With one of three nodes lost: {lost['rows_that_differ']}.\n"
        f"- {hostile['pictures']} pictures, {hostile['unusable']} of them unusable: every one has a row, with "
        f"{hostile['reasons']} different "
        "reasons.\n\n`make faults` repeats this.\n"
    )
