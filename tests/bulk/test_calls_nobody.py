"""Bulk labelling on Ray looks up no name and connects to nobody beyond this machine."""

import subprocess
import sys


def test_a_run_on_ray_asks_nobody(root, astronaut, recorded, tmp_path):
    environment, record = recorded
    (tmp_path / "photos").mkdir()
    for number in range(3):
        astronaut.crop((number, 0, 400 + number, 400)).save(tmp_path / "photos" / f"{number}.jpg")
    command = ["-m", "hf_model.bulk", str(tmp_path / "photos"), "--out", str(tmp_path / "out"), "--workers", "1"]
    result = subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert record() == []
