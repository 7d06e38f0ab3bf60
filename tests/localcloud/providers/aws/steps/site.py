"""What a site joins by: a secret, a VPN, an authority."""

from __future__ import annotations

from tests.localcloud.providers.aws.world import Step

STEPS: list[Step] = [
    (
        "aws:secretsmanager/secret:Secret",
        "secret",
        lambda made: {"description": "token", "kmsKeyId": made["key"].arn, "recoveryWindowInDays": 0},
        {"description": "a token"},
    ),
    (
        "aws:secretsmanager/secretVersion:SecretVersion",
        "secret-version",
        lambda made: {"secretId": made["secret"].id, "secretString": "hush"},
        None,
    ),
    (
        "aws:ec2/customerGateway:CustomerGateway",
        "site",
        {"type": "ipsec.1", "ipAddress": "203.0.113.7", "bgpAsn": "65010", "tags": {"Name": "site"}},
        {"tags": {"Name": "hall"}},
    ),
    (
        "aws:ec2/vpnGateway:VpnGateway",
        "vgw",
        lambda made: {"vpcId": made["vpc"].id, "tags": {"Name": "site"}},
        {"tags": {"Name": "hall"}},
    ),
    (
        "aws:ec2/vpnConnection:VpnConnection",
        "vpn",
        lambda made: {
            "type": "ipsec.1",
            "customerGatewayId": made["site"].id,
            "vpnGatewayId": made["vgw"].id,
            "staticRoutesOnly": True,
            "presharedKeyStorage": "SecretsManager",
            "tunnel1IkeVersions": ["ikev2"],
            "tunnel1Phase1DhGroupNumbers": [19, 20],
            "tunnel2Phase2EncryptionAlgorithms": ["AES256-GCM-16"],
            "tunnel2LogOptions": {"cloudwatchLogOptions": {"logEnabled": True, "logOutputFormat": "json"}},
        },
        {"tags": {"Name": "site"}},
    ),
    (
        "aws:ec2/vpnConnectionRoute:VpnConnectionRoute",
        "vpn-route",
        lambda made: {"vpnConnectionId": made["vpn"].id, "destinationCidrBlock": "192.168.10.0/24"},
        None,
    ),
    (
        "aws:rolesanywhere/trustAnchor:TrustAnchor",
        "anchor",
        {
            "name": "site",
            "enabled": True,
            "source": {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": "PEM"}},
        },
        {"enabled": False, "tags": {"for": "site"}},
    ),
    (
        "aws:rolesanywhere/profile:Profile",
        "site-profile",
        lambda made: {
            "name": "site",
            "enabled": True,
            "roleArns": [made["role"].arn],
            "acceptRoleSessionName": True,
        },
        {"durationSeconds": 3600},
    ),
]
