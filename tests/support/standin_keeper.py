"""The keeper, but a server answers unless it is stopped (SIGSTOP), however busy the machine is.

python standin_keeper.py FOLDER '{"command": [...], "hang": 1, ...}'
"""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
from calm.local.keeper import Keeper


class CertainKeeper(Keeper):
    """Looks at the state of the server's process, where the keeper asks with a time limit."""

    def answers(self, url: str) -> bool:
        stat = Path(f"/proc/{self.server.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "T"


if __name__ == "__main__":
    CertainKeeper(Path(sys.argv[1]), json.loads(sys.argv[2])).run()
