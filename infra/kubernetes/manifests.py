"""A jurisdiction on Kubernetes: its topics, users and processes as Strimzi and Kubernetes read them.

Generated from the plan, handoff.record.topics and handoff.operations.setup.access, so that no ACL is declared twice.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from handoff.config import JurisdictionPlan
from handoff.operations.setup.access import Grant, grants, principals, quotas, user_name
from handoff.record.envelope import COORDINATION
from handoff.record.topics import AUDIT, EXCHANGE, MONITOR, PROJECTION, Topic, agencies, topics

Manifest = dict[str, Any]

_IMAGE = "handoff:0.1.0"
_PORT = 8080
_HEALTH_PORT = 9090
_POSTGRES = "handoff-postgres-rw"
_TRUST = "/etc/handoff/trust"
_TIMELINE_ROLES = {AUDIT: "reader", COORDINATION: "board"}
"""Members that read the timeline's database, and the role that each has in it."""
_CA = {"key": "ca.crt", "path": "ca.crt"}
_CLUSTER = {"strimzi.io/cluster": "handoff"}
_BROKERS = {"podSelector": {"matchLabels": _CLUSTER}}
_DATABASES = {"podSelector": {"matchLabels": {"cnpg.io/cluster": "handoff-postgres"}}}
_CERTIFICATE = 'certificate_file = "/etc/handoff/tls/tls.crt"\nkey_file = "/etc/handoff/tls/tls.key"\n'
# Namespaces with these labels may reach the APIs (an institution's own entrance), and health and metrics.
_MONITORING = {"namespaceSelector": {"matchLabels": {"handoff/monitoring": "true"}}}
_ENTRANCE = {"namespaceSelector": {"matchLabels": {"handoff/entrance": "true"}}}
_EVERY_PROCESS = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "handoff"}}}


class Process(NamedTuple):
    """One process: its id, the package that runs it, its database role, and the number of replicas."""

    id: str
    package: str
    role: str
    copies: int

    @property
    def signs(self) -> bool:
        """Return whether the process has a signing key, for events or for checkpoints and receipts."""
        return self.id != MONITOR

    @property
    def is_node(self) -> bool:
        """Return whether the process is a member's node."""
        return self.id not in {EXCHANGE, PROJECTION, MONITOR}


def processes(plan: JurisdictionPlan) -> tuple[Process, ...]:
    """Every process of a jurisdiction; all except the monitor have a standby."""
    nodes = (Process(m.id, m.service, f"{plan.name}_{m.id}", 2) for m in plan.members if m.service)
    return (
        Process(EXCHANGE, EXCHANGE, f"{plan.name}_{EXCHANGE}", 2),
        Process(PROJECTION, PROJECTION, f"{plan.name}_{PROJECTION}_writer", 2),
        Process(MONITOR, MONITOR, f"{plan.name}_{MONITOR}", 1),
        *nodes,
    )


def manifests(plan: JurisdictionPlan) -> Iterator[Manifest]:
    """All manifests of a jurisdiction, in the order of application."""
    yield from (_topic(topic) for topic in topics(plan.name, plan.member_ids))
    yield from _users(plan)
    for process in processes(plan):
        yield from _process(plan, process)


def process_manifests(plan: JurisdictionPlan, id: str) -> Iterator[Manifest]:  # noqa: A002 (a process's id)
    """Manifests of one process, for the institution that runs it. Raises LookupError for an unknown process.

    Log, monitor and witnesses prove something only if different institutions run them.
    """
    yield from _process(plan, {process.id: process for process in processes(plan)}[id])


def resource_name(name: str) -> str:
    """A name that Kubernetes allows, and unique: ids of members have underscores and never hyphens."""
    return name.replace("_", "-")


def _topic(topic: Topic) -> Manifest:
    config = {**dict(topic.config), "min.insync.replicas": "2"}
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": resource_name(topic.name), "labels": _CLUSTER},
        "spec": {"topicName": topic.name, "partitions": topic.partitions, "replicas": 3, "config": config},
    }


def _users(plan: JurisdictionPlan) -> Iterator[Manifest]:
    rights = grants(plan.name, plan.member_ids)
    limits = {quota.user: quota for quota in quotas(plan.name, plan.member_ids)}
    for principal in principals(plan.name, plan.member_ids):
        own = [_right(grant) for grant in rights if grant.user == principal.user]
        limit = limits[principal.user]
        spec = {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": own},
            "quotas": {
                "producerByteRate": limit.producer_byte_rate,
                "consumerByteRate": limit.consumer_byte_rate,
                "requestPercentage": limit.request_percentage,
            },
        }
        metadata = {"name": resource_name(principal.user), "labels": _CLUSTER}
        yield {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": metadata, "spec": spec}


def _right(grant: Grant) -> Manifest:
    resource = {"type": grant.resource_type, "name": grant.resource, "patternType": "literal"}
    return {"resource": resource, "operations": [grant.operation.capitalize()]}


def _process(plan: JurisdictionPlan, process: Process) -> Iterator[Manifest]:
    name = resource_name(user_name(plan.name, process.id))
    labels = {"app.kubernetes.io/name": "handoff", "app.kubernetes.io/instance": name}
    metadata = {"name": name, "labels": labels}
    settings = {"process.toml": _settings(plan, process)}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": settings}
    if process.is_node:
        # The API alone: health and metrics are for the cluster and its Prometheus, not for the institution's clients.
        port = {"name": "http", "port": _PORT, "targetPort": "http"}
        service = {"selector": labels, "ports": [port]}
        yield {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service}
    spec = {
        "replicas": process.copies,
        "selector": {"matchLabels": labels},
        # The monitor has no standby: two of them would cosign twice, so the old one stops first.
        "strategy": {"type": "Recreate" if process.copies == 1 else "RollingUpdate"},
        "template": {"metadata": {"labels": labels}, "spec": _pod(plan, process, name)},
    }
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    certificate = {
        "secretName": f"{name}-tls",
        "dnsNames": [name, "localhost"],
        "issuerRef": {"name": "handoff-ca", "kind": "Issuer"},
    }
    yield {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata, "spec": certificate}
    endpoint = {
        "port": "health",
        "path": "/metrics",
        "scheme": "https",
        "tlsConfig": {"serverName": name, "ca": {"secret": {"name": f"{name}-tls", "key": "ca.crt"}}},
    }
    scraped = {"selector": {"matchLabels": labels}, "podMetricsEndpoints": [endpoint]}
    yield {"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": metadata, "spec": scraped}
    yield {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": {"matchLabels": labels}, **_network_rules(plan, process)},
    }


def _network_rules(plan: JurisdictionPlan, process: Process) -> Manifest:
    """Rules of one process: it reaches its broker, its database and the audit, and is reached over HTTPS alone.

    The kubelet's probes come from the pod's own machine, which network policies do not restrict.
    """
    callers = [_ENTRANCE, _EVERY_PROCESS] if process.id == AUDIT else [_ENTRANCE]
    api = [{"from": callers, "ports": [{"protocol": "TCP", "port": _PORT}]}] if process.is_node else []
    reached = [
        {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
        {"to": [_BROKERS], "ports": [{"protocol": "TCP", "port": 9093}]},
        {"to": [_DATABASES], "ports": [{"protocol": "TCP", "port": 5432}]},
    ]
    if process.is_node and _is_audited(plan):
        audit = {"app.kubernetes.io/instance": resource_name(user_name(plan.name, AUDIT))}
        reached.append({"to": [{"podSelector": {"matchLabels": audit}}], "ports": [{"protocol": "TCP", "port": _PORT}]})
    return {
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [*api, {"from": [_MONITORING], "ports": [{"protocol": "TCP", "port": _HEALTH_PORT}]}],
        "egress": reached,
    }


def _settings(plan: JurisdictionPlan, process: Process) -> str:
    """The TOML of a process; passwords, token and trust anchor come from the environment."""
    signing = 'signing_key_file = "/etc/handoff/own/signing.key"\n' if process.signs else ""
    if process.is_node or process.id == PROJECTION:
        signing += 'idempotency_secret_file = "/etc/handoff/own/idempotency.key"\n'
    return f"""\
jurisdiction = "{plan.name}"
generation = {plan.generation}
member = "{process.id}"
{signing}
[kafka]
bootstrap_servers = "handoff-kafka-bootstrap:9093"
username = "{resource_name(user_name(plan.name, process.id))}"
security_protocol = "SASL_SSL"
ca_file = "/etc/handoff/kafka/ca.crt"

[postgres]
host = "{_POSTGRES}"
database = "{plan.name}_{process.id}"
user = "{process.role}"
ca_file = "/etc/handoff/postgres/ca.crt"

[health]
host = "0.0.0.0"
port = {_HEALTH_PORT}
{_CERTIFICATE}{_api_section(process)}{"".join(_proof_sections(plan, process))}{_duty_section(plan, process)}"""


def _duty_section(plan: JurisdictionPlan, process: Process) -> str:
    """Duty contact of each member, for the board."""
    contacts = ((member.id, member.duty) for member in plan.members if member.duty is not None)
    lines = (f'{member} = {{ phone = "{duty.phone}", hours = "{duty.hours}" }}\n' for member, duty in contacts)
    return "".join(("\n[duty]\n", *lines)) if process.is_node else ""


def _api_section(process: Process) -> str:
    return f'\n[http]\nhost = "0.0.0.0"\nport = {_PORT}\n{_CERTIFICATE}' if process.is_node else ""


def _proof_sections(plan: JurisdictionPlan, process: Process) -> Iterator[str]:
    """Sections for checkpoints (their readers), receipts (emitters) and the timeline's database (audit and board)."""
    if process.id != EXCHANGE:
        yield f'\n[checkpoints]\ntrust_file = "{_TRUST}/trust.policy"\n'
    if process.id in (MONITOR, *agencies(plan.member_ids)):
        yield 'witness_key_file = "/etc/handoff/own/witness.key"\n'
    if process.is_node and _is_audited(plan):
        audit = resource_name(user_name(plan.name, AUDIT))
        yield f'\n[audit]\nurl = "https://{audit}:{_PORT}"\nca_file = "/etc/handoff/tls/ca.crt"\n'
    if process.id in _TIMELINE_ROLES:
        database, role = f"{plan.name}_{PROJECTION}", _TIMELINE_ROLES[process.id]
        yield f'\n[timeline]\nhost = "{_POSTGRES}"\ndatabase = "{database}"\nuser = "{database}_{role}"\n'
        yield 'ca_file = "/etc/handoff/postgres/ca.crt"\n'


def _is_audited(plan: JurisdictionPlan) -> bool:
    return any(member.id == AUDIT and member.service for member in plan.members)


def _pod(plan: JurisdictionPlan, process: Process, name: str) -> Manifest:
    own = f"{name}-own"
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10_001,
            "fsGroup": 10_001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(plan, process, name, own)],
        "volumes": [
            {"name": "settings", "configMap": {"name": name}},
            {"name": "own", "secret": {"secretName": own, "defaultMode": 0o440}},
            {"name": "kafka", "secret": {"secretName": "handoff-cluster-ca-cert"}},
            # The certificate of the authority alone: the Secret has its private key too.
            {"name": "postgres", "secret": {"secretName": "handoff-postgres-ca", "items": [_CA]}},
            {"name": "tls", "secret": {"secretName": f"{name}-tls", "defaultMode": 0o440}},
            {"name": "trust", "configMap": {"name": f"{plan.name}-trust"}},
            {"name": "scratch", "emptyDir": {}},
        ],
    }


def _container(plan: JurisdictionPlan, process: Process, name: str, own: str) -> Manifest:
    return {
        "name": "process",
        "image": _IMAGE,
        "command": ["python", "-m", f"services.{process.package}"],
        "env": list(_environment(plan, process, name, own)),
        "ports": [
            *([{"name": "http", "containerPort": _PORT}] if process.is_node else []),
            {"name": "health", "containerPort": _HEALTH_PORT},
        ],
        "livenessProbe": {
            "httpGet": {"path": "/health/live", "port": "health", "scheme": "HTTPS"},
            "periodSeconds": 10,
        },
        # A standby node accepts commands, also while the broker is unavailable: only a dead node may get no requests.
        "readinessProbe": {
            "httpGet": {
                "path": "/health/live" if process.is_node else "/health/ready",
                "port": "health",
                "scheme": "HTTPS",
            },
            "periodSeconds": 5,
        },
        "resources": {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "settings", "mountPath": "/etc/handoff/settings", "readOnly": True},
            {"name": "own", "mountPath": "/etc/handoff/own", "readOnly": True},
            {"name": "kafka", "mountPath": "/etc/handoff/kafka", "readOnly": True},
            {"name": "postgres", "mountPath": "/etc/handoff/postgres", "readOnly": True},
            {"name": "tls", "mountPath": "/etc/handoff/tls", "readOnly": True},
            {"name": "trust", "mountPath": _TRUST, "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 (the pod's own)
        ],
    }


def _environment(plan: JurisdictionPlan, process: Process, name: str, own: str) -> Iterator[Manifest]:
    yield {"name": "HANDOFF_CONFIG", "value": "/etc/handoff/settings/process.toml"}
    anchor = {"configMapKeyRef": {"name": f"{plan.name}-genesis", "key": "sha256"}}
    yield {"name": "HANDOFF_GENESIS_SHA256", "valueFrom": anchor}
    yield _secret("HANDOFF_KAFKA__PASSWORD", name, "password")
    yield _secret("HANDOFF_POSTGRES__PASSWORD", own, "postgres-password")
    if process.is_node:
        yield _secret("HANDOFF_TOKEN", own, "token")
    if process.is_node and _is_audited(plan):
        yield _secret("HANDOFF_AUDIT__TOKEN", own, "audit-token")
    if process.id in _TIMELINE_ROLES:
        yield _secret("HANDOFF_TIMELINE__PASSWORD", own, "timeline-password")
    if process.id == AUDIT:
        yield _secret("HANDOFF_CALLERS", own, "callers")


def _secret(variable: str, secret: str, key: str) -> Manifest:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
