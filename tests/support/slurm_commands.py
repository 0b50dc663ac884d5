"""Runs one command of the Slurm in `slurm.py`: NAME ARGUMENTS. Jobs are processes here."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

STATE = Path(os.environ["FAKE_SLURM"])
name, args = sys.argv[1], sys.argv[2:]


def read(job):
    return json.loads((STATE / job).read_text())


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def launch(job, script, environment):
    code = f"bash {shlex.quote(script)}; echo $? > {STATE / (job + '.code')}"
    (STATE / (job + ".code")).unlink(missing_ok=True)
    process = subprocess.Popen(
        ["bash", "-c", code],
        env=os.environ | environment,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    about = {"pid": process.pid, "script": script, "environment": environment}
    (STATE / job).write_text(json.dumps(about))
    (STATE / (job + ".requeued")).unlink(missing_ok=True)


if name == "sbatch":
    script = STATE / f"script-{time.monotonic_ns()}.sh"
    script.write_text(Path(args[-1]).read_text())  # Slurm keeps a copy
    text = script.read_text()
    partition = re.search("--partition=(.*)", text).group(1)
    if partition not in ("day", "night"):
        sys.exit(
            f"sbatch: error: invalid partition specified: {partition}\n"
            "sbatch: error: Batch job submission failed: Invalid partition name specified"
        )
    number = str(100 + len(list(STATE.glob("script-*"))))
    array = re.search(r"--array=0-(\d+)", text)
    common = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "1"}
    if array is None:
        launch(number, str(script), common | {"SLURM_JOB_ID": number})
    for k in range(int(array.group(1)) + 1 if array else 0):
        ids = {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": str(k)}
        one = common | ids | {"SLURM_JOB_ID": f"{number}{k}"}
        launch(f"{number}_{k}", str(script), one)
    sys.stdout.write(f"Submitted batch job {number}\n")
elif name == "srun":
    while args[0].startswith("-"):
        args = args[1:] if args[0] == "--unbuffered" else args[2:]
    os.execvp(args[0], args)
elif name == "sacct":
    sys.stdout.write("JobID|State|NodeList\n")
    for file in STATE.iterdir():
        if file.suffix or file.name.startswith("script"):
            continue
        code = STATE / (file.name + ".code")
        if alive(read(file.name)["pid"]):
            state = "RUNNING"
        elif (STATE / (file.name + ".requeued")).exists():
            state = "REQUEUED"
        else:
            ended_well = code.exists() and code.read_text().strip() == "0"
            state = "COMPLETED" if ended_well else "NODE_FAIL"
        sys.stdout.write(f"{file.name}|{state}|n1\n")
elif name == "scancel":
    pid = read(args[0])["pid"]
    if alive(pid):
        os.killpg(pid, signal.SIGKILL)
elif name == "scontrol":
    about = read(args[1])
    (STATE / (args[1] + ".requeued")).touch()
    if os.fork() == 0:  # starts it again once it has ended
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        while alive(about["pid"]):
            time.sleep(0.1)
        launch(args[1], about["script"], about["environment"])
        os._exit(0)
