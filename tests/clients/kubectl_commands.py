"""What people type: a table of commands, each with what it must say.

A command runs after those before it, in one namespace of its own; NS stands for the namespace's
name and DIR for an empty folder.
"""
# ruff: noqa: E501 - one line is one command

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One kubectl command line, split at blanks outside quotes."""

    line: str
    says: str = ""
    """A regular expression found in what it prints, on either stream."""
    stdin: str = ""
    code: int = 0
    since: int = 0
    """The first minor version of kubectl that has it."""
    eventually: bool = False
    """Whether to ask again until it is so."""


WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "nginx:1.27", ports: [{containerPort: 80}]}]
"""
JOB = "create job once --image=busybox -- echo hello"
KUSTOMIZATION = "namePrefix: my-\nresources: [web.yaml]\n"
CSR_NAME = "NS-user"

WRITING = (
    Command("apply -f -", "deployment.apps/web created", WEB),
    Command("apply -f -", "deployment.apps/web unchanged", WEB),
    Command("diff -f -", r"\+.*nginx:1.28", WEB.replace("1.27", "1.28"), code=1),
    Command("apply -f - --dry-run=server", "configured .server dry run.", WEB.replace("1.27", "1.28")),
    Command("apply --server-side --field-manager=other -f -", "conflict with .kubectl-client-side-apply", WEB.replace("1.27", "1.28"), code=1),
    Command("apply --server-side --force-conflicts -f -", "serverside-applied", WEB.replace("1.27", "1.28")),
    Command("create -f -", "AlreadyExists", WEB, code=1),
    Command("replace -f -", "deployment.apps/web replaced", WEB, eventually=True),  # its status may change under it
    Command("create configmap c --from-literal=a=b", "configmap/c created"),
    Command("create secret generic s --from-literal=a=b", "secret/s created"),
    Command("create serviceaccount robot", "serviceaccount/robot created"),
    Command("create role reader --verb=get,list --resource=pods", "role.rbac.authorization.k8s.io/reader created"),
    Command("create rolebinding reads --role=reader --serviceaccount=NS:robot", "created"),
    Command("create quota q --hard=configmaps=50", "resourcequota/q created"),
    Command("create priorityclass NS-high --value=10", "created"),
    Command("create poddisruptionbudget b --selector=app=none --min-available=1", "created"),
    Command(JOB, "job.batch/once created"),
    Command("create cronjob often --image=busybox --schedule='* * * * *'", "cronjob.batch/often created"),
    Command("create job by-hand --from=cronjob/often", "job.batch/by-hand created"),
    Command("patch deployment web -p '{\"metadata\":{\"annotations\":{\"x\":\"y\"}}}'", "patched"),
    Command("patch deployment web --type=json -p '[{\"op\":\"add\",\"path\":\"/spec/minReadySeconds\",\"value\":0}]'", "patched"),
    Command("patch deployment web --subresource=status --type=merge -p '{\"status\":{\"collisionCount\":1}}'", "patched"),
    Command("label deployment web tier=front", "deployment.apps/web labeled"),
    Command("label deployment web tier=back", "already has a value .front.", code=1),
    Command("annotate deployment web why=because", "annotated?"),
    Command("edit deployment web", "deployment.apps/web edited"),
    Command("get deployment web -o jsonpath='{.metadata.labels.tier}'", "^edited$"),
    Command("set image deployment/web main=nginx:1.29", "image updated"),
    Command("set env deployment/web A=B", "env updated"),
    Command("set resources deployment/web --requests=cpu=10m", "resource requirements updated"),
    Command("set serviceaccount deployment/web robot", "serviceaccount updated"),
    Command("expose deployment web --port=80", "service/web exposed"),
    Command("set selector service web app=web", "selector updated"),
    Command("autoscale deployment web --min=1 --max=3 --cpu-percent=80", "autoscaled"),
    Command("scale deployment web --replicas=2", "scaled"),
    Command("rollout status deployment/web --timeout=60s", "successfully rolled out"),
    Command("rollout history deployment/web", "REVISION"),
    Command("rollout pause deployment/web", "paused"),
    Command("rollout resume deployment/web", "resumed"),
    Command("rollout restart deployment/web", "restarted"),
    Command("rollout undo deployment/web", "rolled back"),
    Command("rollout status deployment/web --timeout=60s", "successfully rolled out"),
    Command("wait --for=condition=Available deployment/web --timeout=60s", "condition met"),
    Command("wait --for=jsonpath='{.status.readyReplicas}'=2 deployment/web --timeout=60s", "condition met"),
)  # fmt: skip

READING = (
    Command("get all", r"deployment.apps/web +2/2"),
    Command("get pods -o wide", "NOMINATED NODE"),
    Command("get deployment web -o yaml", "kind: Deployment"),
    Command("get deployment web -o json --show-managed-fields", '"managedFields"'),
    Command("get pods -o name", "pod/web-"),
    Command("get pods -l app=web --no-headers -o custom-columns=N:.metadata.name,P:.status.phase", "web-.* Running"),
    Command("get pods --field-selector=status.phase=Running --sort-by=.metadata.name", "web-"),
    Command("get deployment,service,configmap", "configmap/c"),
    Command("get pods -A", "NAMESPACE"),
    Command("get pods --show-labels", "app=web"),
    Command("get nodes -L kubernetes.io/hostname", "HOSTNAME"),
    Command("get --raw /version", "gitVersion"),
    Command("events --for deployment/web", "ScalingReplicaSet"),
    Command("get none", "the server doesn't have a resource type", code=1),
    Command("get pod none", r'Error from server \(NotFound\): pods "none" not found', code=1),
    Command("describe deployment web", "NewReplicaSet:"),
    Command("describe pods", "Node: +node-"),
    Command("describe node node-1", "Allocated resources"),
    Command("describe service web", "Endpoints:"),
    Command("explain deployment.spec.strategy", "rollingUpdate"),
    Command("explain pod.spec --recursive", "terminationGracePeriodSeconds"),
    Command("api-resources --namespaced=false", "nodes"),
    Command("api-resources --api-group=apps -o name", "deployments.apps"),
    Command("api-versions", "apps/v1"),
    Command("cluster-info", "control plane.* is running at"),
    Command("cluster-info dump --namespaces NS --output-directory DIR/dump", "dumped to"),
    Command("version", "Server Version: (version.Info.*)?v?1"),
    Command("config view --minify", "current-context"),
    Command("config current-context", "clients"),
    Command("auth can-i create deployments", "yes"),
    Command("auth can-i delete pods --as=system:serviceaccount:NS:robot", "no", code=1),
    Command("auth can-i --list --as=system:serviceaccount:NS:robot", r"pods +\[\] +\[\] +\[get list\]"),
    Command("auth whoami", "kubernetes-admin", since=28),
    Command("create token robot --duration=10m", r"^ey[\w-]+\.[\w-]+\.[\w-]+"),
    Command("kustomize DIR", "name: my-web"),
    Command("apply -k DIR --dry-run=server", "deployment.apps/my-web created .server dry run."),
    Command("top nodes", "(?i)metrics api not available|cpu", code=-1),
)  # fmt: skip

STREAMING = (
    Command("run box --image=busybox --restart=Never --command -- sleep 3600", "pod/box created"),
    Command("wait --for=condition=Ready pod/box --timeout=60s", "condition met"),
    Command("exec box -- echo hello", "^hello$"),
    Command("exec -i box -- cat", "^some words$", "some words"),
    Command("exec box -- sh -c 'exit 3'", "exit code 3", code=3),
    Command("exec box -- nothere", "(?i)not found|no such file", code=-1),
    Command("exec deployment/web -- echo hello", "^hello$"),
    Command("cp DIR/web.yaml box:/tmp/web.yaml"),
    Command("exec box -- cat /tmp/web.yaml", "kind: Deployment"),
    Command("cp box:/tmp/web.yaml DIR/back.yaml"),
    Command("run says --image=busybox --restart=Never -- sh -c 'echo one; echo two'", "created"),
    Command("wait --for=jsonpath='{.status.phase}'=Succeeded pod/says --timeout=60s", "condition met"),
    Command("logs says", "^one\ntwo$"),
    Command("logs -f says --tail=1 --timestamps", "^20.*Z two$"),
    Command("logs -l app=web --all-containers --prefix --tail=1"),
    Command("logs none", "NotFound", code=1),
    Command("run -i --rm --quiet --restart=Never --image=busybox echoes -- cat", "to the container", "to the container\n"),
    Command("debug box --image=busybox --container=helper -- sh -c 'echo at work; sleep 3600'"),
    Command("get pod box -o jsonpath='{.spec.ephemeralContainers[*].name}'", "^helper$"),
    Command("debug box --copy-to=copied --image=busybox --container=more -- sleep 3600"),
    Command("get pod copied -o jsonpath='{.spec.containers[*].name}'", "box more"),
)  # fmt: skip

MANAGING = (
    Command("cordon node-2", "node/node-2 cordoned"),
    Command("get node node-2", "SchedulingDisabled"),
    Command("drain node-2 --ignore-daemonsets --force --delete-emptydir-data --pod-selector=app=nobody", "drained"),
    Command("uncordon node-2", "node/node-2 uncordoned"),
    Command("taint nodes node-2 NS=x:PreferNoSchedule", "node/node-2 tainted"),
    Command("taint nodes node-2 NS-", "node/node-2 untainted"),
    Command("label node node-2 NS=x", "labeled"),
    Command("label node node-2 NS-", "unlabeled|labeled"),
    Command("certificate approve none", "not found", code=1),
    Command("delete configmap c --dry-run=server", "deleted.*.server dry run."),
    Command("delete pod says --now", 'pod "says" deleted'),
    Command("delete pod box --grace-period=0 --force", "deleted"),
    Command("delete deployment web --cascade=orphan", "deleted"),
    Command("get replicasets -l app=web -o name", "replicaset.apps/web-"),
    Command("delete replicaset -l app=web --cascade=foreground", "deleted"),
    Command("get pods -l app=web", "No resources found", eventually=True),
    Command("delete service,hpa,secret --field-selector metadata.name=web", "deleted"),
    Command("delete pod none --ignore-not-found", "^$"),
    Command("delete pod none", "NotFound", code=1),
    Command("delete priorityclass NS-high", "deleted"),
    Command("delete job,cronjob --all --wait=false", "deleted"),
)  # fmt: skip
