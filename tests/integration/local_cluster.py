"""A Ray cluster of several raylets on this machine, in a process of its own, beside the session's Ray.

Run as a script with the nodes as JSON, the head first; says its addresses, then obeys a line of JSON at a time: a node
to add, "lose" to kill the node that was added last, or null; and answers with the actors that were ever started. Ends,
with all its processes, when its stdin does.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "TOKENIZERS_PARALLELISM": "false",
}
OBJECT_STORE_BYTES = 100 << 20
TRIES = 3
"""To start a cluster. Ray gives each node 30 seconds, whatever one asks for: few on a busy machine."""


class LocalCluster:
    """The side of the tests: starts the script below and talks to it.

    Attributes:
        environment: What a process needs to reach this cluster, and no other on the machine, as `auto`.
        address: Of its head.
        dashboard: `http://...`; empty without one.
    """

    def __init__(self, nodes, folder, **environment):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # a job asks for `python`
        self.environment = {**os.environ, **ENVIRONMENT, **environment, "RAY_TMPDIR": folder, "PATH": path}
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(nodes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self.environment,
        )
        if not (said := self._process.stdout.readline()):
            self._process.communicate()
            raise ChildProcessError("the cluster did not start")
        addresses = json.loads(said)
        self.address, self.dashboard = addresses["address"], f"http://{addresses['dashboard']}"

    def _ask(self, request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def add_node(self, **node):
        """Adds a node and waits until it is there."""
        self._ask(node)

    def lose_node(self):
        """Kills the raylet of the node that was added last, without a farewell."""
        self._ask("lose")

    def model_actors(self):
        """All the actors that have held a model, dead ones too: their ids, and the labels of the nodes they ran on."""
        return [actor for actor in self._ask(None) if "TokenClassifier" in actor["name"]]

    def stop(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)


@contextlib.contextmanager
def local_cluster(*nodes, **environment):
    """A cluster for one `with`."""
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # a path of pytest's is too long for a socket
    try:
        for tries_left in reversed(range(TRIES)):
            try:
                cluster = LocalCluster(nodes, folder, **environment)
                break
            except ChildProcessError:
                if not tries_left:
                    raise
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def serve(nodes):
    """The side of the cluster."""
    from ray.cluster_utils import Cluster

    def node_arguments(node):
        # without a port of its own for the agent of the dashboard, another Ray on this machine would be in the way
        return {"object_store_memory": OBJECT_STORE_BYTES, "dashboard_agent_listen_port": None, **node}

    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **node_arguments(nodes[0])})
    workers = [cluster.add_node(**node_arguments(node)) for node in nodes[1:]]
    print(json.dumps({"address": cluster.address, "dashboard": cluster.webui_url}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request == "lose":
            cluster.remove_node(workers.pop(), allow_graceful=False)
        elif request is not None:
            workers.append(cluster.add_node(**node_arguments(request)))
        labels = {node["NodeID"]: node["Labels"] for node in cluster.global_state.node_table()}
        actors = cluster.global_state.actor_table(None)
        listed = [
            {
                "id": key,
                "name": actor["Name"] + actor["ActorClassName"],
                "labels": labels.get(actor["Address"]["NodeID"]),
            }
            for key, actor in actors.items()
        ]
        print(json.dumps(listed), flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parent)
    serve(json.loads(sys.argv[1]))
