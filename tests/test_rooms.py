"""The import table of the design: what each room may import."""

import ast
import subprocess
import sys

import pytest

STANDARD = set(sys.stdlib_module_names)
HF_MODEL = {"keras", "tensorflow", "mtcnn", "numpy", "PIL", "huggingface_hub", "safetensors"}
ALLOWED = {
    "hf_model": HF_MODEL,
    "dataset_script": {"datasets", "PIL", "numpy"},
    "train": {
        "hf_model",
        "dataset_script",
        "train",
        "keras",
        "numpy",
        "PIL",
        "datasets",
        "evaluate",
        "huggingface_hub",
        "safetensors",
        "matplotlib",
        "tensorboard",
        "imagehash",
        "tensorflow",
        "jax",
        "torch",
        "jinja2",
        "onnxruntime",
        "cv2",
        "sklearn",
        "scipy",
        "crepes",
    },
    "space": {
        "gradio",
        "huggingface_hub",
        "PIL",
        "numpy",
        "matplotlib",
        "model",
        "demo",
        "charts",
        "components",
        "about",
        "face_card",
        "boxes",
        "guess",
        "notes",
        "photo",
        "poke",
        "presets",
        "live",
        "look",
        "programs",
        "spaces",
        "zero_gpu",
        "callers",
    },
}
DOORS = ("configuration_", "image_processing_", "modeling_", "package_", "pipeline_", "handler")
# What each room of hf_model/ may import of the others: doors → predictor → faces → network → pictures → the lowest
# layer, and bulk → predictor. "" is the predictor's layer, at the top of the folder.
LOWEST = {"download", "portable", "console", "settings"}
HF_ROOMS = {
    "lowest": set(),
    "pictures": {"lowest"},
    "network": {"lowest", "pictures"},
    "faces": {"lowest", "pictures", "network"},
    "": {"lowest", "pictures", "network", "faces"},
    "bulk": {"lowest", "pictures", "network", "faces", ""},
    "door": set(),
}
OPTIONAL = {
    "onnx",
    "onnxruntime",
    "openvino",
    "joblib",
    "lz4",
    "pillow_heif",
    "ray",
    "pyarrow",
    "datasets",
    "markdown_it",
}


def imports(tree: ast.AST):
    """Every import as (top-level package, or "." for relative, node)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node
        elif isinstance(node, ast.ImportFrom):
            yield ("." if node.level else node.module.split(".")[0]), node


def guarded(tree: ast.AST) -> set[int]:
    """Lines inside ``try`` bodies."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Try)
        for item in node.body
        for line in range(item.lineno, item.end_lineno + 1)
    }


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_the_design_allows(root, room):
    for path in (root / room).rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name, node in imports(tree):
            allowed = ALLOWED[room] | STANDARD
            if room == "hf_model":
                allowed = allowed | ({"transformers", "torch"} if path.name.startswith(DOORS) else set())
                allowed = allowed | ({"torch"} if path.name.startswith("torch_") else set())
                allowed = allowed | (OPTIONAL if node.lineno in guarded(tree) else set())
            if path == root / "train" / "finetune.py":
                allowed = allowed | {"transformers"}
            if name == ".":
                assert room == "hf_model", f"{path}:{node.lineno} is a relative import"
                assert node.module, f"{path}:{node.lineno}: write 'from .x import y'"
                continue
            assert name in allowed, f"{path}:{node.lineno} imports {name}"


# What each room of train/ may import of the others: arrows run release → measure → train's top, curate stands apart.
TRAIN_ROOMS: dict[str, set[str]] = {
    "": set(),
    "curate": set(),
    "measure": {""},
    "release": {"", "measure"},
    "jobs": {"", "measure", "release"},
}
WHERE = "what both need belongs at train's top, what judges weights in measure/, what goes out with them in release/"
# And within measure/: what the network says ← constants ← figures. Those without a room put them together.
MEASURE_ROOMS: dict[str, set[str]] = {
    "raw": {"metrics"},
    "calibrate": {"raw", "context"},
    "report": {"raw", "calibrate", "context", "metrics"},
    "metrics": set(),
    "context": {"raw"},
}


def test_the_arrows_inside_train_run_one_way(root):
    top = {path.stem for path in (root / "train").glob("*.py")} - {"__init__", "__main__"}
    for path in (root / "train").rglob("*.py"):
        parts = path.relative_to(root / "train").parts
        room = parts[0] if len(parts) > 1 else ""
        assert room in TRAIN_ROOMS, f"{path}: {room} is no room of train/"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                package, _, rest = name.partition(".")
                if package != "train" or not rest:
                    continue
                target = rest.split(".")[0]
                of = "" if target in top else target
                allowed = TRAIN_ROOMS[room] | {room}
                assert of in allowed, (
                    f"{path}:{node.lineno} imports {name}: {room or 'the top of train'} may import of train/ only "
                    f"{sorted(allowed)}; {WHERE}."
                )


def test_the_arrows_inside_measure_run_one_way(root):
    measure = root / "train" / "measure"
    for path in measure.rglob("*.py"):
        parts = path.relative_to(measure).parts
        room = parts[0].removesuffix(".py")
        if room not in MEASURE_ROOMS:
            assert len(parts) == 1, f"{path}: {room} is no room of train/measure/"
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("train.measure"):
                _, _, *inner = node.module.split(".")
                for name in inner[:1] or [alias.name for alias in node.names]:
                    assert name in MEASURE_ROOMS[room] | {room}, (
                        f"{path}:{node.lineno} imports {name}, against the arrow"
                    )


def test_importing_the_model_package_loads_neither_tensorflow_nor_mtcnn(root):
    code = (
        "import sys, hf_model; print([n for n in ('tensorflow', 'keras', 'mtcnn', 'transformers') if n in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


ALONE = (
    "train/jobs/train_on_hub.py",
    "dataset_script/utkface.py",
    "train/measure/metrics/age_error/age_error.py",
    "train/measure/metrics/gender_report/gender_report.py",
    "hf_model/handler.py",
    "hf_model/configuration_age_gender.py",
    "hf_model/image_processing_age_gender.py",
    "hf_model/package_age_gender.py",
    "hf_model/pipeline_age_gender.py",
)


@pytest.mark.parametrize("name", ALONE)
def test_what_runs_alone_imports_nothing_of_the_project(root, name):
    """Each of these is copied away from its neighbours by whoever runs it."""
    names = {name for name, _ in imports(ast.parse((root / name).read_text(encoding="utf-8")))}
    assert not names & {".", "hf_model", "train", "dataset_script", "space"}


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module of hf_model/ by the parts of its dotted name."""
    if len(parts) > 1 or parts[0] in HF_ROOMS:
        return parts[0]
    if parts[0].startswith(DOORS):
        return "door"
    return "lowest" if parts[0] in LOWEST else ""


def test_the_arrows_inside_hf_model_run_one_way(root):
    package = root / "hf_model"
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        here = room_of(parts)
        for name, node in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if name != ".":
                assert name != "hf_model", f"{path}:{node.lineno}: the package may have another name"
                continue
            target = (*parts[: len(parts) - node.level], *node.module.split("."))
            there = room_of(target)
            assert (package.joinpath(*target).with_suffix(".py")).is_file() or package.joinpath(*target).is_dir(), (
                target
            )
            assert there == here or there in HF_ROOMS[here], (
                f"{path}:{node.lineno}: {here or 'the predictor'} may not import of {there or 'the predictor'}; "
                f"arrows run "
                "doors → predictor → faces → network → pictures → download, and bulk → predictor."
            )


def test_transformers_doors_import_only_each_other(root):
    """transformers copies them away, with the files that they name beside them and no others, from a folder as from a
    repo."""
    for path in (root / "hf_model").glob("*.py"):
        if path.name.startswith(DOORS):
            for name, node in imports(ast.parse(path.read_text(encoding="utf-8"))):
                assert name != "." or (node.level == 1 and node.module.startswith(DOORS)), f"{path}: {node.module}"
