"""The files to start clusters from, checked without a cloud, a docker or a Kubernetes."""

import copy
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import ray
import yaml
from botocore.session import Session
from botocore.validate import ParamValidator
from pydantic import ValidationError
from ray.serve import Application
from ray.serve.schema import ServeDeploySchema

from pipelines.config import TASK_CPUS
from pipelines.serving.options import ServeOptions

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
AWS = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
ON_PREMISE = yaml.safe_load((DEPLOY / "cluster-onprem.yaml").read_text(encoding="utf-8"))
SERVE = yaml.safe_load((DEPLOY / "serve.yaml").read_text(encoding="utf-8"))
RAY_SERVICE = yaml.safe_load((DEPLOY / "rayservice.yaml").read_text(encoding="utf-8"))
RAY_JOB = yaml.safe_load((DEPLOY / "rayjob.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
IMAGE = re.compile(rf"<registry>/cytotag:{re.escape(ray.__version__)}-py311-(cpu|gpu)")

launcher_files = pytest.mark.parametrize("config", [AWS, ON_PREMISE], ids=["aws", "on-premise"])


def validate(config):
    """What `ray up` checks before it calls the cloud. Its functions are private, and have no public twin."""
    util = pytest.importorskip("ray.autoscaler._private.util")
    return util.validate_config(util.prepare_config(copy.deepcopy(config)))


@pytest.fixture(scope="module")
def run_instances():
    """The parameters of EC2's RunInstances, as AWS describes them."""
    return Session().get_service_model("ec2").operation_model("RunInstances").input_shape


def mistakes(node_config, shape):
    """What is wrong with a node_config, which Ray hands to EC2 unread: unknown keys, wrong types, unknown values."""
    report = ParamValidator().validate({**node_config, "MinCount": 1, "MaxCount": 1}, shape)
    return [line for line in report.generate_report().splitlines() if line] + unknown_values(node_config, shape)


def unknown_values(value, shape):
    if shape.type_name == "structure" and isinstance(value, dict):
        known = [(member, shape.members[key]) for key, member in value.items() if key in shape.members]
        return [wrong for member, inner in known for wrong in unknown_values(member, inner)]
    if shape.type_name == "list" and isinstance(value, list):
        return [wrong for member in value for wrong in unknown_values(member, shape.member)]
    return [f"{value}: no {shape.name}"] if getattr(shape, "enum", None) and value not in shape.enum else []


@launcher_files
def test_the_cluster_launcher_takes_it(config):
    validate(config)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(max_worker=3),
        lambda config: config.update(head_node_type="haed"),
        lambda config: config["available_node_types"]["cpu_worker"].update(min_worker=0),
        lambda config: config["available_node_types"]["cpu_worker"]["resources"].update(CPU="16"),
        lambda config: config["available_node_types"]["cpu_worker"].update(min_workers=11),
    ],
    ids=["key", "head", "key of a type", "text for a number", "more than all"],
)
def test_the_cluster_launcher_refuses_mistakes(change):
    config = copy.deepcopy(AWS)
    change(config)
    with pytest.raises(Exception, match=r"max_worker|head_node_type|min_worker|'16'"):
        validate(config)


@pytest.mark.parametrize("name", AWS["available_node_types"])
def test_ec2_takes_each_node(name, run_instances):
    assert not mistakes(AWS["available_node_types"][name]["node_config"], run_instances)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"InstanceTyp": "c6i.4xlarge"}, 'Unknown parameter in input: "InstanceTyp"'),
        ({"InstanceMarketOptions": {"MarketTyp": "spot"}}, 'Unknown parameter in InstanceMarketOptions: "MarketTyp"'),
        ({"InstanceMarketOptions": {"MarketType": "sopt"}}, "sopt: no MarketType"),
        ({"InstanceType": "c6i.5xlarge"}, "c6i.5xlarge: no InstanceType"),
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeSize": "100"}}]}, "VolumeSize"),
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeType": "ssd"}}]}, "ssd: no VolumeType"),
    ],
    ids=["key", "key inside", "value inside", "instance", "text for a number", "value in a list"],
)
def test_a_misspelt_node_is_found(change, said, run_instances):
    """Ray would hand it to EC2, which would refuse it when the first node is wanted."""
    config = copy.deepcopy(AWS)
    node = config["available_node_types"]["cpu_worker"]["node_config"]
    node.update(change)
    validate(config)
    assert [line for line in mistakes(node, run_instances) if said in line]


def test_aws_the_head_runs_no_tasks_and_the_workers_come_and_go():
    types = AWS["available_node_types"]
    head = types[AWS["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    assert "InstanceMarketOptions" not in head["node_config"]
    workers = [node for node in types.values() if node is not head]
    assert sum(node["max_workers"] for node in workers) == AWS["max_workers"]
    assert {node["min_workers"] for node in workers} == {0}
    assert types["cpu_worker"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert types["gpu_worker"]["resources"]["GPU"] == 1
    assert [node["labels"]["pool"] for node in types.values()] == ["head", "cpu", "gpu"]
    assert 0 < AWS["idle_timeout_minutes"] <= 10


def test_on_premise_the_head_runs_no_tasks():
    assert "--num-cpus=0 --num-gpus=0" in ON_PREMISE["head_start_ray_commands"][-1]
    assert "--num-cpus" not in ON_PREMISE["worker_start_ray_commands"][-1]


@launcher_files
def test_every_node_needs_the_token_and_has_room_for_files_and_objects(config):
    assert "--env RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert list(config["file_mounts"].items()) == [("/home/ray/.ray/auth_token", "~/.ray/auth_token")]
    assert "--ulimit nofile=65536:65536" in config["docker"]["run_options"]
    spill = "/mnt/ray-spill"
    assert f"--volume {spill}:{spill}" in config["docker"]["run_options"]
    for start in (config["head_start_ray_commands"][-1], config["worker_start_ray_commands"][-1]):
        assert start.startswith("ulimit -n 65536; ray start ")
        assert re.search(r"--object-store-memory=\d+000000000\b", start)
        assert f"--object-spilling-directory={spill}" in start
        assert "--metrics-export-port=8080" in start
    assert "--dashboard-host=127.0.0.1" in config["head_start_ray_commands"][-1]


@launcher_files
def test_nothing_is_installed_on_a_node(config):
    assert config["setup_commands"] == config["head_setup_commands"] == config["worker_setup_commands"] == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own
@launcher_files
def test_ray_start_knows_the_options(config):
    from ray.scripts.scripts import start

    known = {name for option in start.params for name in option.opts}
    for command in (config["head_start_ray_commands"][-1], config["worker_start_ray_commands"][-1]):
        assert set(re.findall(r"--[a-z-]+", command)) <= known


def cluster_of(kuberay):
    """The cluster that a RayJob or a RayService asks for."""
    return kuberay["spec"]["rayClusterSpec" if kuberay["kind"] == "RayJob" else "rayClusterConfig"]


kuberay_files = pytest.mark.parametrize("config", [RAY_JOB, RAY_SERVICE], ids=["rayjob", "rayservice"])


def images():
    yield AWS["docker"]["image"], "cpu"
    yield AWS["available_node_types"]["gpu_worker"]["docker"]["worker_image"], "gpu"
    yield ON_PREMISE["docker"]["image"], "cpu"
    for cluster in map(cluster_of, (RAY_JOB, RAY_SERVICE)):
        yield cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["image"], "cpu"
        for group in cluster["workerGroupSpecs"]:
            yield group["template"]["spec"]["containers"][0]["image"], group["groupName"]


def test_the_images_are_pinned_to_the_ray_that_is_installed():
    for image, platform in images():
        assert (match := IMAGE.fullmatch(image)), image
        assert match[1] == platform
    assert f"FROM rayproject/ray:{ray.__version__}-py311-${{PLATFORM}}" in DOCKERFILE
    assert f'"ray[data,serve]=={ray.__version__}"' in DOCKERFILE
    assert {cluster_of(config)["rayVersion"] for config in (RAY_JOB, RAY_SERVICE)} == {ray.__version__}


def test_the_dockerfile_copies_what_the_package_is_made_of():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    copied = {
        name for line in re.findall(r"^COPY --chown=ray (.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    packages = {name for name in project["tool"]["setuptools"]["packages"]["find"]["include"] if "." not in name}
    assert copied == {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"], *packages}
    assert all((ROOT / name).exists() for name in copied)
    ranges = {re.split(r"[<>=\[]", one)[0]: one for one in project["project"]["dependencies"]}
    assert ranges["onnxruntime"].removeprefix("onnxruntime") in DOCKERFILE


# The fields of KubeRay's ray.io/v1 (1.5) that may stand in our files, with ! where KubeRay requires them. A misspelt
# field would be dropped by Kubernetes, or refuse the whole object.
KUBERAY = {
    "RayJob": "apiVersion! kind! metadata! spec!",
    "RayJobSpec": "entrypoint! submissionMode backoffLimit activeDeadlineSeconds shutdownAfterJobFinishes "
    "ttlSecondsAfterFinished rayClusterSpec! runtimeEnvYAML submitterPodTemplate",
    "RayService": "apiVersion! kind! metadata! spec!",
    "RayServiceSpec": "serveConfigV2! rayClusterConfig! serveService upgradeStrategy excludeHeadPodFromServeSvc "
    "rayClusterDeletionDelaySeconds",
    "RayClusterSpec": "rayVersion! authOptions enableInTreeAutoscaling autoscalerOptions headGroupSpec! "
    "workerGroupSpecs!",
    "AuthOptions": "mode!",
    "AutoscalerOptions": "version idleTimeoutSeconds upscalingMode resources",
    "HeadGroupSpec": "rayStartParams! template! serviceType labels resources",
    "WorkerGroupSpec": "groupName! replicas minReplicas! maxReplicas! rayStartParams! template! labels resources",
    "PodSpec": "containers! volumes nodeSelector tolerations",
    "Container": "name! image! resources! ports volumeMounts env",
}


def kuberay_mistakes(config):
    """Fields that a RayJob or RayService has too many or too few, by the kind of object they stand in."""
    cluster = cluster_of(config)
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    objects = [
        (config["kind"], config),
        (f"{config['kind']}Spec", config["spec"]),
        ("RayClusterSpec", cluster),
        ("AuthOptions", cluster["authOptions"]),
        ("AutoscalerOptions", cluster["autoscalerOptions"]),
        ("HeadGroupSpec", groups[0]),
        *(("WorkerGroupSpec", group) for group in groups[1:]),
        *(("PodSpec", pod) for pod in pods),
        *(("Container", container) for pod in pods for container in pod["containers"]),
    ]
    found = set()
    for kind, one in objects:
        fields = KUBERAY[kind].split()
        found |= {(kind, name) for name in one if name not in {field.rstrip("!") for field in fields}}
        found |= {(kind, field.rstrip("!")) for field in fields if field.endswith("!") and field[:-1] not in one}
    return found


def test_rayjob_has_the_fields_of_kuberay():
    assert (RAY_JOB["apiVersion"], RAY_JOB["kind"]) == ("ray.io/v1", "RayJob")
    assert not kuberay_mistakes(RAY_JOB)
    wrong = copy.deepcopy(RAY_JOB)
    wrong["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = wrong["spec"].pop("entrypoint")
    assert kuberay_mistakes(wrong) == {("WorkerGroupSpec", "maxReplica"), ("RayJobSpec", "entrypoint")}


@kuberay_files
def test_kuberay_the_head_runs_no_tasks_and_pods_have_what_they_ask_for(config):
    cluster = cluster_of(config)
    head, groups = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["enableInTreeAutoscaling"] is True
    assert [group["labels"] for group in groups] == [{"pool": group["groupName"]} for group in groups]
    for group in (head, *groups):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())  # KubeRay takes text only
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert {mount["name"] for mount in container.get("volumeMounts", ())} == {
            volume["name"] for volume in pod.get("volumes", ())
        }
    for group in groups:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_rayjob_has_a_pool_of_gpus():
    groups = cluster_of(RAY_JOB)["workerGroupSpecs"]
    assert [group["groupName"] for group in groups] == ["cpu", "gpu"]
    assert "nvidia.com/gpu" in groups[1]["template"]["spec"]["containers"][0]["resources"]["limits"]


def test_rayjob_runs_a_command_that_cytotag_knows():
    from typer.main import get_command

    from pipelines.__main__ import command_line

    words = RAY_JOB["spec"]["entrypoint"].split()
    known = {name for option in get_command(command_line()).commands["tag"].params for name in option.opts}
    assert words[:2] == ["cytotag", "tag"]
    assert {word for word in words if word.startswith("--")} <= known
    assert words[words.index("--labels") + 1] == "pool=cpu"
    assert float(words[words.index("--wait") + 1]) > 0


def options_of(serve):
    (application,) = serve["applications"]
    return ServeOptions(**application["args"])


def test_serve_yaml_is_what_serve_build_gives(tmp_path):
    """But that the application is named by what builds it, with its arguments, from which the deployments come."""
    module = "built_for_serve_yaml"
    (tmp_path / f"{module}.py").write_text(
        "from pipelines.serve import build_app\nfrom pipelines.serving.options import ServeOptions\n"
        f"app = build_app(ServeOptions(**{SERVE['applications'][0]['args']!r}))\n",
        encoding="utf-8",
    )
    built = tmp_path / "serve.yaml"
    command = [sys.executable, "-m", "ray.serve.scripts", "build", f"{module}:app", "-d", tmp_path, "-o", built]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    fresh = yaml.safe_load(built.read_text(encoding="utf-8"))
    (application,) = fresh["applications"]
    deployments = application.pop("deployments")
    ours = SERVE["applications"][0]
    application |= {name: ours[name] for name in ("name", "import_path", "args")}
    assert fresh == SERVE
    by_name = {deployment["name"]: deployment for deployment in deployments}
    assert by_name["TokenClassifier"]["ray_actor_options"]["num_cpus"] == options_of(SERVE).threads
    assert by_name["Endpoint"]["num_replicas"] == options_of(SERVE).endpoints


def test_serve_yaml_is_taken_by_serve_and_its_application_can_be_built():
    schema = ServeDeploySchema.model_validate(SERVE)
    (application,) = schema.applications
    module, name = application.import_path.split(":")
    assert isinstance(getattr(importlib.import_module(module), name)(options_of(SERVE)), Application)
    assert application.name == "cytotag"
    with pytest.raises(ValidationError, match="replica"):
        ServeOptions(**{**application.args, "replica": 2})


def test_what_listens_on_all_addresses_wants_a_token():
    for serve in (SERVE, yaml.safe_load(RAY_SERVICE["spec"]["serveConfigV2"])):
        assert options_of(serve).token_file
    assert SERVE["http_options"]["host"] == "0.0.0.0"  # noqa: S104  # what is asserted


def test_rayservice_runs_the_application_of_serve_yaml():
    assert (RAY_SERVICE["apiVersion"], RAY_SERVICE["kind"]) == ("ray.io/v1", "RayService")
    assert not kuberay_mistakes(RAY_SERVICE)
    config = yaml.safe_load(RAY_SERVICE["spec"]["serveConfigV2"])
    assert config["applications"] == SERVE["applications"]
    ServeDeploySchema.model_validate(config)


def test_rayservice_the_nodes_hold_the_models_and_the_token():
    (group,) = cluster_of(RAY_SERVICE)["workerGroupSpecs"]
    options, pod = options_of(SERVE), group["template"]["spec"]
    (container,) = pod["containers"]
    cpus = float(container["resources"]["limits"]["cpu"])
    assert options.pool.min_size * options.threads + options.endpoints * TASK_CPUS <= group["minReplicas"] * cpus
    models = int((cpus - options.endpoints * TASK_CPUS) // options.threads)
    assert options.pool.max_size <= models * group["maxReplicas"]
    (mount,) = container["volumeMounts"]
    assert Path(options.token_file).parent == Path(mount["mountPath"])
    assert pod["volumes"][0]["secret"]
