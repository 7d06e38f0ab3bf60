"""The way in to the cluster on AWS: who is let in, who administers it, and the jump host."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from infra.aws.cluster import Cluster, ClusterArgs, Reach
from infra.aws.deployer import Caller, Deployer, administrators
from infra.aws.jump_host import IMAGE, PROXY_URL, TUNNEL_PORT, JumpHost, JumpHostArgs, tunnel_command
from infra.aws.network import Network, NetworkArgs
from infra.settings.errors import SettingsError
from infra.settings.pools import SystemPool

NAME = "india-ai-infra-unit"
KEY = "arn:aws:kms:ap-south-1:111122223333:key/cluster"
ACCOUNT = "111122223333"
CI = f"arn:aws:iam::{ACCOUNT}:role/ci"
DEPLOYERS = [Deployer("role/ci", CI)]
ASHA = f"arn:aws:iam::{ACCOUNT}:user/people/asha"
OUTPUTS = {
    "aws:eks/cluster:Cluster": lambda given: {
        "endpoint": "https://eks.local",
        "certificateAuthority": {"data": "Q0E="},
        "vpcConfig": {**given["vpcConfig"], "clusterSecurityGroupId": "sg-cluster"},
    },
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
}


@pytest.fixture(scope="module")
def build(deploy, account, personal):
    def run(deployers=DEPLOYERS, reach=None):
        def program():
            network = Network(
                "net", NetworkArgs(account, personal, NAME, "10.0.0.0/16", ("aps1-az1", "aps1-az2"), KEY)
            )
            host = JumpHost("jump-host", JumpHostArgs(personal, NAME, "ap-south-1", network, KEY))
            given = reach or Reach(("10.1.0.0/16",), {"jump-host": host.security_group_id}, PROXY_URL)
            cluster = Cluster(
                "cluster",
                ClusterArgs(
                    account, personal, NAME, "1.35", network, deployers, KEY, KEY, SystemPool(), reach=given
                ),
            )
            return {"kubeconfig": cluster.kubeconfig, "tunnel": host.tunnel}

        return deploy(program, outputs=OUTPUTS)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


def rules_of_the_api(made):
    rules = made.of("securityGroupIngressRule:SecurityGroupIngressRule").values()
    return [rule for rule in rules if rule.inputs["securityGroupId"] == "sg-cluster"]


def test_the_api_server_admits_the_networks_and_the_jump_host_on_443_alone(made):
    rules = rules_of_the_api(made)
    ports = {(rule.inputs["ipProtocol"], rule.inputs["fromPort"], rule.inputs["toPort"]) for rule in rules}
    assert ports == {("tcp", 443, 443)}
    group = made.one("ec2/instance:Instance").inputs["vpcSecurityGroupIds"]
    sources = {rule.inputs.get("cidrIpv4") or rule.inputs.get("referencedSecurityGroupId") for rule in rules}
    assert sources == {"10.1.0.0/16", *group}


def test_no_object_is_made_before_the_way_the_rights_and_the_nodes(made):
    """An access entry counts some seconds after it is made, and the nodes come minutes later."""
    provider = made.one("providers:kubernetes")
    needed = [
        *rules_of_the_api(made),
        *made.of("AccessPolicyAssociation").values(),
        made.one("nodeGroup:NodeGroup"),
    ]
    assert len(needed) == 4
    assert {found.urn for found in needed} <= provider.depends_on


@pytest.mark.slow
def test_only_the_cluster_goes_through_the_tunnel(made, build):
    (cluster,) = json.loads(made.result["kubeconfig"])["clusters"]
    assert cluster["cluster"]["proxy-url"] == f"socks5://127.0.0.1:{TUNNEL_PORT}"
    direct = build(reach=Reach(("10.1.0.0/16",))).result["kubeconfig"]
    assert "proxy-url" not in direct


def test_nothing_reaches_the_jump_host_but_session_manager(made):
    host = made.one("ec2/instance:Instance").inputs
    assert host["associatePublicIpAddress"] is False
    assert "keyName" not in host
    assert host["instanceType"] == "t4g.nano"
    assert host["subnetId"] == made.one("nodeGroup:NodeGroup").inputs["subnetIds"][0], "a private subnet"
    (group,) = host["vpcSecurityGroupIds"]
    rules = made.of("securityGroupIngressRule:SecurityGroupIngressRule").values()
    assert [rule for rule in rules if rule.inputs["securityGroupId"] == group] == []
    assert "ingress" not in made.one("securityGroup:SecurityGroup", "jump-host").inputs
    (asked,) = [call.args for call in made.invokes if "getParameter" in call.token]
    assert asked["name"] == IMAGE
    assert "minimal" not in IMAGE, "it has no agent of Systems Manager"
    assert "arm64" in IMAGE, "as the machine is"


def test_the_jump_host_is_guarded_and_has_no_right_but_its_agents(made):
    host = made.one("ec2/instance:Instance")
    assert host.inputs["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    assert host.inputs["rootBlockDevice"]["encrypted"] is True
    assert host.inputs["rootBlockDevice"]["kmsKeyId"] == KEY
    attached = made.one("rolePolicyAttachment:RolePolicyAttachment", "jump-host")
    assert attached.inputs["policyArn"].endswith(":aws:policy/AmazonSSMManagedInstanceCore")
    assert attached.urn in host.depends_on
    assert [name for name in made.of("rolePolicy:RolePolicy") if name.startswith("jump-host")] == []
    routes = {found.urn for found in made.of("ec2/route:Route").values()}
    assert routes <= host.depends_on, "without a way to Systems Manager its agent does not register"


def test_the_tunnel_is_one_command_of_the_shell(made):
    command = made.result["tunnel"]
    words = shlex.split(command)
    assert words.count("&&") == 1
    instance = made.one("ec2/instance:Instance")
    assert re.search(r"i?nstance-[0-9a-f]+", command)
    proxy = next(word for word in words if word.startswith("ProxyCommand="))
    assert "AWS-StartSSHSession" in proxy
    assert "portNumber=%p" in proxy
    assert words[words.index("-D") + 1] == str(TUNNEL_PORT)
    assert instance.inputs["ami"].startswith("ami-")
    assert tunnel_command("i-1", "ap-south-2").count("--region ap-south-2") == 2


def test_each_deployer_has_an_entry_named_after_them(build):
    two = [Deployer("role/ci", CI), Deployer("user/people/asha", ASHA)]
    first, second = build(two), build(list(reversed(two)))
    entries = {name: found.inputs["principalArn"] for name, found in first.of("AccessEntry").items()}
    assert entries == {"cluster-deployer-role/ci": CI, "cluster-deployer-user/people/asha": ASHA}
    assert entries == {name: found.inputs["principalArn"] for name, found in second.of("AccessEntry").items()}


@pytest.mark.parametrize("runs", [CI, ASHA])
def test_who_runs_the_program_changes_nobodys_entry(runs):
    listed = ["role/ci", ASHA]
    assert administrators(listed, Caller(ACCOUNT, runs)) == [
        Deployer("role/ci", CI),
        Deployer("user/people/asha", ASHA),
    ]


def test_who_is_not_listed_is_refused_with_the_line_to_add():
    stranger = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/Admin"
    with pytest.raises(SettingsError) as refused:
        administrators(["role/ci"], Caller(ACCOUNT, stranger))
    (problem,) = refused.value.problems
    assert problem.path == "aws.cluster.access.deployers"
    assert stranger in problem.allowed
    assert problem.nearest == "[role/ci, role/aws-reserved/sso.amazonaws.com/Admin]"


def test_a_role_of_another_account_is_another_role():
    other = CI.replace(ACCOUNT, "444455556666")
    with pytest.raises(SettingsError):
        administrators([other], Caller(ACCOUNT, CI))
    with pytest.raises(SettingsError):
        administrators(["role/ci"], Caller("444455556666", CI))


def test_without_a_list_it_is_the_caller():
    assert administrators([], Caller(ACCOUNT, CI)) == [Deployer("", CI)]


def test_the_program_refuses_before_anything_is_made(deploy):
    import yaml

    from localcloud.directories import PROJECT
    from tests.program.test_program import _run

    config = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())["config"]
    config["india-ai-infra:aws"]["cluster"]["access"]["deployers"] = ["role/somebody-else"]
    with pytest.raises(SettingsError, match=r"role/india-ai-infra-deployer"):
        _run(deploy, config)
